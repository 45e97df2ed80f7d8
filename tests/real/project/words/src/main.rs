fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    println!("{} words, {} letters", words.len(), count::letters(&words));
}
