//! Which name was meant.
//!
//! In: a name that does not exist, and those that do. Out: the one that is spelt much like it. It must never be used to
//! choose anything: it is for messages alone.

/// The name that is spelt most like another one, where any is spelt much like it.
pub fn nearest<'known>(
    name: &str,
    known: impl IntoIterator<Item = &'known str>,
) -> Option<&'known str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_name_is_taken_for_one_that_is_spelt_much_like_it_alone() {
        let known = ["platforms", "profile", "go"];
        assert_eq!(nearest("platfroms", known), Some("platforms"));
        assert_eq!(nearest("gp", known), Some("go"));
        assert_eq!(nearest("runtime", known), None);
    }
}
