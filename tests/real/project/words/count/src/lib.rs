/// How many letters all words have.
pub fn letters(words: &[String]) -> usize {
    words.iter().map(|word| word.chars().count()).sum()
}

#[test]
fn letters_are_counted() {
    assert_eq!(letters(&["ab".into(), "c".into()]), 3);
}
