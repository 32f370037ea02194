//! String literals of Go.
//!
//! In: the text from an opening quote on. Out: where the literal ends, and its value. It must never accept what
//! strconv refuses.
//!
//! Source: strconv (`Unquote`, `QuotedPrefix`, `UnquoteChar`).

/// The literal at the start of a text and what follows it: an interpreted string in double quotes or a raw
/// one in backquotes. Nothing where the text starts with no complete literal.
pub(crate) fn quoted_prefix(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    match text.first()? {
        b'`' => {
            let end = memchr::memchr(b'`', &text[1..])?;
            let value = text[1..=end]
                .iter()
                .copied()
                .filter(|byte| *byte != b'\r')
                .collect();
            Some((value, &text[end + 2..]))
        }
        b'"' => {
            let mut value = Vec::new();
            let mut rest = &text[1..];
            loop {
                let plain = memchr::memchr3(b'"', b'\\', b'\n', rest)?;
                value.extend_from_slice(&rest[..plain]);
                rest = match rest[plain] {
                    b'"' => return Some((value, &rest[plain + 1..])),
                    b'\\' => escape(&rest[plain + 1..], &mut value)?,
                    _ => return None,
                };
            }
        }
        _ => None,
    }
}

/// The value of a text that is one whole literal.
pub(crate) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let (value, rest) = quoted_prefix(text)?;
    rest.is_empty().then_some(value)
}

/// Decodes an escape sequence behind its backslash, in double quotes.
fn escape<'text>(text: &'text [u8], value: &mut Vec<u8>) -> Option<&'text [u8]> {
    let (kind, rest) = text.split_first()?;
    let simple = match kind {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' => b'\\',
        b'"' => b'"',
        b'x' => {
            let (number, rest) = digits(rest, 2, 16)?;
            value.push(u8::try_from(number).ok()?);
            return Some(rest);
        }
        b'u' | b'U' => {
            let (number, rest) = digits(rest, if *kind == b'u' { 4 } else { 8 }, 16)?;
            let mut buffer = [0; 4];
            value.extend_from_slice(char::from_u32(number)?.encode_utf8(&mut buffer).as_bytes());
            return Some(rest);
        }
        b'0'..=b'7' => {
            let (number, rest) = digits(text, 3, 8)?;
            value.push(u8::try_from(number).ok()?);
            return Some(rest);
        }
        _ => return None,
    };
    value.push(simple);
    Some(rest)
}

fn digits(text: &[u8], count: usize, base: u32) -> Option<(u32, &[u8])> {
    let digits = text.get(..count)?;
    let mut number: u32 = 0;
    for digit in digits {
        number = number
            .checked_mul(base)?
            .checked_add(char::from(*digit).to_digit(base)?)?;
    }
    Some((number, &text[count..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_decoded_as_by_strconv() {
        let cases: [(&str, Option<&str>); 14] = [
            (r#""a""#, Some("a")),
            ("`a\\n`", Some("a\\n")),
            ("`a\r`", Some("a")),
            (
                r#""a\tb\x41\101\u00e4\U0001F600""#,
                Some("a\tbAA\u{e4}\u{1F600}"),
            ),
            (r#""\"""#, Some("\"")),
            (r#""\'""#, None),
            (r#""\q""#, None),
            (r#""\x4""#, None),
            (r#""\400""#, None),
            (r#""\ud800""#, None),
            ("\"a\nb\"", None),
            ("\"a", None),
            ("a", None),
            ("\"a\"b", None),
        ];
        for (text, expected) in cases {
            let value = unquote(text.as_bytes()).map(|value| String::from_utf8(value).unwrap());
            assert_eq!(value.as_deref(), expected, "{text}");
        }
        assert_eq!(quoted_prefix(b"\"a\" b"), Some((b"a".to_vec(), &b" b"[..])));
    }
}
