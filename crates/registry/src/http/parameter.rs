//! The values of parameters in headers: `name=value` and `name="value"` (RFC 9110, section 5.6.6).

/// Reads a value, quoted or up to one of `ends`, and returns it with what comes after it.
pub(crate) fn value<'a>(text: &'a str, ends: &[char]) -> (String, &'a str) {
    let text = text.trim_start_matches([' ', '\t']);
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find(ends).unwrap_or(text.len()));
        return (value.trim().to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => value.extend(characters.next()),
            c => value.push(c),
        }
    }
    (value, characters.as_str())
}
