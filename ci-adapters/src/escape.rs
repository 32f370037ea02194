//! Texts of a repository in the forms that people read.
//!
//! In: any text. Out: the same text, in which nothing is markup, a command or a control character. Each form has one
//! function; what goes into a form passes it, and nothing else does.

use std::borrow::Cow;

/// As many characters of one text as are shown.
const LONGEST: usize = 300;

/// A text of limited length without characters that could steer a terminal or change the direction of writing.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_short = text.len() <= LONGEST || text.chars().nth(LONGEST).is_none();
    if is_short && text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(LONGEST) + 8);
    for character in text.chars().take(LONGEST) {
        if is_harmless(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    if !is_short {
        shown.push('…');
    }
    Cow::Owned(shown)
}

fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A text in which nothing is Markdown or HTML, for a line or a table's cell.
pub(crate) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in printable(text).chars() {
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
    }
}
