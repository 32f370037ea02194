//! The command lines of a Dockerfile, as far as they can be followed.
//!
//! In: the text of a `RUN`, an `ENV` or an `ARG`. Out: its commands as words, and values with what is known put in. It must
//! never understand more than a sequence of commands: whatever else a shell does is refused, with the reason.

use std::collections::BTreeMap;

/// The commands of a line, each as words without quotes. What is more than a sequence is refused.
pub(super) fn commands(text: &str) -> Result<Vec<Vec<String>>, String> {
    if text.contains('`') || text.contains("$(") {
        return Err("what a command prints is used".to_owned());
    }
    let mut commands = vec![Vec::new()];
    for word in words(text)? {
        match word.as_str() {
            "\u{0}&&" | "\u{0}||" | "\u{0};" => commands.push(Vec::new()),
            operator if operator.starts_with('\u{0}') => {
                return Err(format!("`{}` can't be followed", &operator[1..]));
            }
            _ => {
                if let Some(command) = commands.last_mut() {
                    command.push(word);
                }
            }
        }
    }
    Ok(commands)
}

/// The words of a line without their quotes; what means something to a shell is a word behind a NUL.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    if text.contains('\u{0}') {
        return Err("a NUL byte".to_owned());
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), character) if open == character => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(characters.next()),
            (Some(_), character) => word.get_or_insert_default().push(character),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\n') => {
                words.extend(word.take());
                let mut operator = format!("\u{0}{character}");
                while let Some(next @ ('&' | '|' | '<' | '>')) = characters.peek().copied() {
                    operator.push(next);
                    characters.next();
                }
                words.push(operator);
            }
            (None, '#') if word.is_none() => return Err("a comment in a command".to_owned()),
            (None, character) if character.is_whitespace() => words.extend(word.take()),
            (None, character) => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

pub(super) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// A value with the variables that are known put in; the others stay as they are written.
pub(super) fn expand(value: &str, variables: &BTreeMap<String, String>) -> String {
    let name = value
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| value.strip_prefix('$'));
    match name.and_then(|name| variables.get(name)) {
        Some(known) if !known.is_empty() => known.clone(),
        _ => value.to_owned(),
    }
}

pub(super) fn refuse_variables(text: &str) -> Result<(), String> {
    if text.contains(['$', '*', '?', '[', '~']) {
        return Err(format!("`{}` can't be told", text.escape_debug()));
    }
    Ok(())
}
