//! When to ask again.
//!
//! In: the number of the attempt, and what the server says. Out: how long to wait. It must never wait longer than there is
//! time.
//!
//! Source: RFC 9110, 10.2.3: `Retry-After` is a number of seconds, or a date.

use std::time::{Duration, Instant, SystemTime};

/// As often as one question is asked.
pub(super) const ATTEMPTS: u32 = 4;

/// As long as a server may put off one question.
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt; nothing when there is no next one. `attempt` counts from 1.
pub(super) fn wait(
    attempt: u32,
    retry_after: Option<&str>,
    first: Duration,
    now: Instant,
    deadline: Instant,
) -> Option<Duration> {
    if attempt >= ATTEMPTS {
        return None;
    }
    // A word that is not understood leaves the usual wait.
    let asked = retry_after.and_then(|text| asked_for(text.trim(), SystemTime::now()));
    let wait = asked.unwrap_or_else(|| first.saturating_mul(3_u32.saturating_pow(attempt - 1)));
    (wait <= LONGEST && now + wait < deadline).then_some(wait)
}

/// How long a server wants to be left alone.
fn asked_for(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    // A date that has passed, by the clock here, means now.
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(60);
        let first = Duration::from_millis(200);
        let wait = |attempt, retry_after| wait(attempt, retry_after, first, now, deadline);
        assert_eq!(wait(1, None), Some(Duration::from_millis(200)));
        assert_eq!(wait(2, None), Some(Duration::from_millis(600)));
        assert_eq!(wait(3, None), Some(Duration::from_millis(1_800)));
        assert_eq!(wait(4, None), None);
        assert_eq!(wait(1, Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(wait(1, Some("0")), Some(Duration::ZERO));
        assert_eq!(wait(1, Some("3600")), None);
        assert_eq!(wait(1, Some("soon")), Some(Duration::from_millis(200)));
        assert_eq!(wait(1, Some("99999999999999999999")), Some(first));
        let passed = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wait(1, Some(passed)), Some(Duration::ZERO));
        assert_eq!(wait(1, Some("Fri, 06 Nov 2893 08:49:37 GMT")), None);
        let late = super::wait(1, Some("7"), first, now, now + Duration::from_secs(3));
        assert_eq!(late, None);
    }

    #[test]
    fn a_date_is_as_good_as_seconds() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (text, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
            ("Sun Nov  6 08:49:37 1994", Some(7)),
            ("Sun, 06 Nov 1994 08:49:20 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 36 Nov 1994 08:49:37 GMT", None),
            ("", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(asked_for(text, now), expected, "{text}");
        }
    }
}
