//! Which of several targets gets the next request.

use std::collections::BTreeMap;

use super::routes::WHOLE;

/// How far one turn is from the one before, of [`WHOLE`] in a circle: near the golden section, so that
/// the turns of a group are spread evenly, and with no divisor in common, so that all places come.
const STEP: usize = 6_181;

/// The group whose turn it is; `None` stands for all that are in none. Of [`WHOLE`] turns in a row
/// each has as many as its share says.
pub fn group(shares: &BTreeMap<String, u16>, turn: usize) -> Option<&str> {
    let whole = usize::from(WHOLE);
    let mut place = turn % whole * STEP % whole;
    shares.iter().find_map(|(group, share)| {
        let share = usize::from(*share);
        let own = place < share;
        place = place.saturating_sub(share);
        // What is before the next one's places is taken.
        own.then_some(group.as_str())
    })
}

/// The place of the one with the least to do. Of those that have equally little, each gets its turn:
/// `turn` is a number that grows. `None` stands for one that may not be chosen.
pub fn least(outstanding: impl Iterator<Item = Option<usize>>, turn: usize) -> Option<usize> {
    // Looked at once: others change them meanwhile, and then none would be the least.
    let outstanding: Vec<Option<usize>> = outstanding.collect();
    let least = outstanding.iter().flatten().min().copied()?;
    let equal = || {
        let places = outstanding.iter().enumerate();
        places.filter(|(_, count)| **count == Some(least))
    };
    let count = equal().count();
    equal()
        .nth(turn.checked_rem(count)?)
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(outstanding: &[Option<usize>], turn: usize) -> Option<usize> {
        least(outstanding.iter().copied(), turn)
    }

    #[test]
    fn groups_have_as_many_turns_as_their_shares_and_not_at_once() {
        let shares = [("a".to_owned(), 1_000), ("b".to_owned(), 250)].into();
        let turns: Vec<_> = (0..10_000).map(|turn| group(&shares, turn)).collect();
        let count = |own: Option<&str>| turns.iter().filter(|turn| **turn == own).count();
        assert_eq!(count(Some("a")), 1_000);
        assert_eq!(count(Some("b")), 250);
        assert_eq!(count(None), 8_750);
        for some in turns.chunks(100) {
            let own = some.iter().filter(|turn| **turn == Some("a")).count();
            assert!((8..=12).contains(&own), "{own} of 100");
        }
    }

    #[test]
    fn who_has_least_to_do_is_chosen() {
        assert_eq!(chosen(&[Some(3), Some(1), Some(2)], 7), Some(1));
        assert_eq!(chosen(&[None, Some(9)], 0), Some(1));
        assert_eq!(chosen(&[None, None], 0), None);
        assert_eq!(chosen(&[], 0), None);
    }

    #[test]
    fn what_changes_meanwhile_leaves_nobody_out() {
        let now = std::cell::Cell::new(0);
        let changing = (0..2).map(|_| {
            now.set(now.get() + 1);
            Some(now.get())
        });
        assert_eq!(least(changing, 0), Some(0));
    }

    #[test]
    fn equals_take_turns() {
        let counts = [Some(1), None, Some(0), Some(0)];
        let turns: Vec<_> = (0..4).map(|turn| chosen(&counts, turn)).collect();
        assert_eq!(turns, [Some(2), Some(3), Some(2), Some(3)]);
    }
}
