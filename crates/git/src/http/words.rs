//! What a server says to people, made fit for a log: no control characters, not too long.

/// The most characters of a line.
const LONGEST: usize = 300;
/// The most lines.
const MOST: usize = 50;

/// One line of everything.
pub(super) fn line(bytes: &[u8]) -> String {
    clean(&String::from_utf8_lossy(bytes))
}

/// Line by line. A progress line that was overwritten in place is shown as it was at last.
pub(super) fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .split('\n')
        .map(|line| clean(line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default()))
        .filter(|line| !line.is_empty())
        .take(MOST)
        .collect()
}

/// The words of an error's body: none if it is a web page.
pub(super) fn of_body(content_type: Option<&str>, body: &[u8]) -> String {
    let page =
        content_type.is_some_and(|kind| kind.contains("html")) || body.trim_ascii_start().starts_with(b"<");
    if page { String::new() } else { line(body) }
}

fn clean(text: &str) -> String {
    let mut clean = String::new();
    let mut count = 0;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            // A sequence that colours text: ESC [ parameters letter.
            if characters.next_if_eq(&'[').is_some() {
                while characters.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                characters.next();
            }
            continue;
        }
        let c = if c.is_control() || c.is_whitespace() { ' ' } else { c };
        if c == ' ' && (clean.is_empty() || clean.ends_with(' ')) {
            continue;
        }
        if count == LONGEST {
            clean.push('…');
            break;
        }
        clean.push(c);
        count += 1;
    }
    clean.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_and_overwritten_progress_do_not_reach_a_log() {
        let said =
            b"\x1b[31merror:\x1b[0m no\r\nresolving: 10%\rresolving: 100%, done.\n\n  \x07 tab\there \n";
        assert_eq!(lines(said), ["error: no", "resolving: 100%, done.", "tab here"]);
    }

    #[test]
    fn a_web_page_has_no_words() {
        assert_eq!(of_body(Some("text/html; charset=utf-8"), b"Not found"), "");
        assert_eq!(of_body(None, b" <!DOCTYPE html>"), "");
        assert_eq!(of_body(Some("text/plain"), b"Repository\nnot found.\n"), "Repository not found.");
    }

    proptest! {
        #[test]
        fn nothing_a_server_says_holds_control_characters(bytes in any::<Vec<u8>>()) {
            let all = lines(&bytes);
            prop_assert!(all.len() <= MOST);
            for line in all.iter().chain([&line(&bytes)]) {
                prop_assert!(!line.chars().any(char::is_control));
                prop_assert!(line.chars().count() <= LONGEST + 1);
            }
        }
    }
}
