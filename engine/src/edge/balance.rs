//! Which of several targets gets the next request.

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
