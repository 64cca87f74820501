//! Times, counted by how long they were: cheap to take down, and enough to tell a percentile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The upper ends of the buckets, in microseconds: each is at most a third more than the one before,
/// and so far can a percentile be off.
pub const ENDS: [u64; 59] = [
    100, 125, 150, 200, 250, 300, 400, 500, 600, 800, // below a millisecond
    1_000, 1_250, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 8_000, // milliseconds
    10_000, 12_500, 15_000, 20_000, 25_000, 30_000, 40_000, 50_000, 60_000, 80_000, // tens
    100_000, 125_000, 150_000, 200_000, 250_000, 300_000, 400_000, 500_000, 600_000,
    800_000, // hundreds
    1_000_000, 1_250_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 4_000_000, 5_000_000,
    6_000_000, 8_000_000, // seconds
    10_000_000, 12_500_000, 15_000_000, 20_000_000, 25_000_000, 30_000_000, 40_000_000, 50_000_000,
    60_000_000,
];

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; ENDS.len() + 1],
    sum_us: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_us: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Takes one down.
    pub fn add(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = ENDS.partition_point(|end| *end < time);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(time, Ordering::Relaxed);
    }

    /// All of them together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }

    /// How many took at most so many microseconds; `end` is one of [`ENDS`].
    pub fn up_to(&self, end: u64) -> u64 {
        let buckets = self.buckets.iter().zip(ENDS);
        let below = buckets.take_while(|(_, own)| *own <= end);
        below.map(|(count, _)| count.load(Ordering::Relaxed)).sum()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        let counts = self.buckets.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// As it is now, without the buckets in which nothing is.
    pub fn now(&self) -> Vec<Bucket> {
        let ends = ENDS.into_iter().map(Some).chain([None]);
        let counts = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let buckets = ends.zip(counts).filter(|(_, count)| *count > 0);
        buckets
            .map(|(up_to_us, count)| Bucket { up_to_us, count })
            .collect()
    }
}

/// How many took so long, and longer than those of the bucket before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bucket {
    /// The longest time, in microseconds; `None` for all that is longer than a minute.
    pub up_to_us: Option<u64>,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_a_little_more_than_the_one_before() {
        for pair in ENDS.windows(2) {
            assert!(
                pair[0] < pair[1] && pair[1] * 3 <= pair[0] * 4 + 2,
                "{pair:?}"
            );
        }
    }

    #[test]
    fn times_are_counted_by_how_long_they_were() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 2_400, 61_000_000] {
            histogram.add(Duration::from_micros(us));
        }
        let bucket = |up_to_us, count| Bucket { up_to_us, count };
        let expected = [
            bucket(Some(100), 2),
            bucket(Some(125), 1),
            bucket(Some(2_500), 1),
            bucket(None, 1),
        ];
        assert_eq!(histogram.now(), expected);
        assert_eq!((histogram.up_to(125), histogram.up_to(2_500)), (3, 4));
        assert_eq!((histogram.count(), histogram.sum_us()), (5, 61_002_601));
    }
}
