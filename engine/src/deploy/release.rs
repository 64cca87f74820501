//! Release ids.

use std::time::{Duration, SystemTime};

/// An id for a release made at `now`: nine characters that sort as time does, to the
/// millisecond. Crockford's base 32 in lower case: no letter is taken for a digit, and the id
/// can be part of a container's name.
pub fn release_id(now: SystemTime) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    const LENGTH: u32 = 9;
    let millis = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_millis();
    (0..LENGTH)
        .rev()
        .map(|place| DIGITS[(millis >> (5 * place)) as usize & 31] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_time_does() {
        let at = |millis| release_id(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(at(0), "000000000");
        assert_eq!(at(31), "00000000z");
        assert_eq!(at(32), "000000010");
        assert!(at(1_795_000_000_000) < at(1_795_000_000_001));
    }
}
