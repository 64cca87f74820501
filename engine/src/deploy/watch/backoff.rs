//! How long to wait before trying again: longer each time, and never for the same time as others.

use std::time::Duration;

/// Time before the first try.
const FIRST: Duration = Duration::from_secs(1);
/// Time before a try, at most.
const MOST: Duration = Duration::from_secs(60);

/// Times between tries. Those of several watchers, or of one for several containers, are spread by
/// up to a fifth, so that what failed together is not tried together.
#[derive(Debug, Clone)]
pub struct Backoff {
    random: u64,
}

impl Backoff {
    /// `seed` is any number.
    pub fn new(seed: u64) -> Self {
        Self {
            // Of 0 nothing but 0 would follow.
            random: seed | 1,
        }
    }

    /// The time before the next try, after so many.
    pub fn delay(&mut self, tries: usize) -> Duration {
        let doubled = u32::try_from(tries).unwrap_or(u32::MAX).min(16);
        let time = FIRST.saturating_mul(1 << doubled).min(MOST);
        // xorshift64: all that is needed is that two watchers differ.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        time.mul_f64(0.8 + 0.4 * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_minute() {
        let mut backoff = Backoff::new(7);
        for (tries, seconds) in [
            (0, 1.0),
            (1, 2.0),
            (2, 4.0),
            (5, 32.0),
            (6, 60.0),
            (900, 60.0),
        ] {
            let delay = backoff.delay(tries).as_secs_f64();
            assert!(
                (seconds * 0.8..=seconds * 1.2).contains(&delay),
                "{tries}: {delay}"
            );
        }
    }

    #[test]
    fn two_do_not_try_at_the_same_time() {
        let (mut one, mut two) = (Backoff::new(1), Backoff::new(0x9e37_79b9));
        let delays = |backoff: &mut Backoff| (0..4).map(|n| backoff.delay(n)).collect::<Vec<_>>();
        assert_ne!(delays(&mut one), delays(&mut two));
    }
}
