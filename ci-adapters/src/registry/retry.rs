//! When to ask again.
//!
//! In: the number of the attempt, and what the server says. Out: how long to wait. It must never wait longer than there is
//! time.

use std::time::{Duration, Instant};

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
    // A date instead of seconds is as good as a word that is not understood: the usual wait.
    let asked = retry_after
        .and_then(|text| text.trim().parse::<u64>().ok())
        .map(Duration::from_secs);
    let wait = asked.unwrap_or_else(|| first.saturating_mul(3_u32.saturating_pow(attempt - 1)));
    (wait <= LONGEST && now + wait < deadline).then_some(wait)
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
        let late = super::wait(1, Some("7"), first, now, now + Duration::from_secs(3));
        assert_eq!(late, None);
    }
}
