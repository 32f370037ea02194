//! Texts of a repository in the forms that people read.
//!
//! In: any text. Out: the same text, in which nothing is markup, a command or a control character. Each form has one
//! function; what goes into a form passes it, and nothing else does.

use std::borrow::Cow;

/// As many characters of one text as annotations and summaries show.
const LONGEST: usize = 300;

/// Whether a character can neither steer a terminal nor change the direction of writing.
pub fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A text of limited length whose characters are all harmless.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_short = text.len() <= LONGEST || text.chars().nth(LONGEST).is_none();
    if is_short {
        return harmless(text);
    }
    let start: String = text.chars().take(LONGEST).collect();
    Cow::Owned(format!("{}…", harmless(&start)))
}

/// A text with every character that is not harmless written as its number.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_harmless(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    Cow::Owned(shown)
}

/// A text in which nothing is Markdown or HTML, for a line or a table's cell.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in harmless(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A mention would call people.
            '@' => escaped.push_str("&#64;"),
            // A colon makes an emoji of a word, and an address a link.
            ':' => escaped.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' | '{' | '}'
            | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// The same of a text of limited length: a page has room for many.
pub(crate) fn short_markdown(text: &str) -> String {
    markdown(&printable(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let cases = [
            ("a|b", "a\\|b"),
            ("<img src=x>", "&lt;img src=x&gt;"),
            ("[x](http://y)", "\\[x\\]\\(http&#58;//y\\)"),
            ("@team", "&#64;team"),
            ("a\nb", "a\\\\u\\{a\\}b"),
            ("a\u{2028}b\u{202e}", "a\\\\u\\{2028\\}b\\\\u\\{202e\\}"),
            ("\u{1b}[31m", "\\\\u\\{1b\\}\\[31m"),
            ("${{ github.token }}", "\\$\\{\\{ github.token \\}\\}"),
            ("plain-name/x.go", "plain-name/x.go"),
        ];
        for (text, expected) in cases {
            assert_eq!(markdown(text), expected);
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let shown = printable(&"ä".repeat(1_000)).into_owned();
        assert_eq!(shown.chars().count(), LONGEST + 1);
        assert!(shown.ends_with('…'));
        let exact = "ä".repeat(LONGEST);
        assert_eq!(printable(&exact), exact);
        assert_eq!(markdown(&"ä".repeat(1_000)), "ä".repeat(1_000));
    }
}
