//! The lines of a table that were seen to be new, and the table without them.

use std::collections::HashMap;

use crate::kernel::adoption::Found;

/// What is there of these lines: they, none of them, or another one in the place of one.
pub(super) fn find(text: &str, lines: &[String]) -> Found {
    let (left, missing) = split(text, lines);
    let is_altered = |line: &str| line.ends_with('…') || line.contains("***");
    if missing.iter().any(|line| is_altered(line)) {
        // What was shortened or masked is not found again; then the table stands for it.
        return Found::Changed("a line of it was not written down as it is".to_owned());
    }
    for line in &missing {
        if let Some(other) = left.iter().find(|other| starts_work(other) && command(other) == command(line)) {
            return Found::Changed(format!("there is `{}` where `{line}` was", other.trim_end()));
        }
    }
    if missing.len() == lines.len() { Found::Gone } else { Found::AsSeen }
}

/// The table without these lines, everything else as it is.
pub(in crate::adapters) fn without(text: &str, lines: &[String]) -> String {
    split(text, lines).0.concat()
}

/// Everything else of a table, with its ends of lines, and the lines that it has not. Of equal ones the last are taken, as many as there are.
fn split<'t, 'l>(text: &'t str, lines: &'l [String]) -> (Vec<&'t str>, Vec<&'l str>) {
    let mut wanted: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        *wanted.entry(line.as_str()).or_default() += 1;
    }
    let mut left: Vec<&str> = Vec::new();
    for line in text.split_inclusive('\n').rev() {
        match wanted.get_mut(line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))) {
            Some(count) if *count > 0 => *count -= 1,
            _ => left.push(line),
        }
    }
    left.reverse();
    let missing = lines.iter().filter(|line| wanted.get(line.as_str()).is_some_and(|count| *count > 0)).map(String::as_str);
    (left, missing.collect())
}

fn starts_work(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

/// What a line of a table runs: what is behind the five fields of its time, or behind `@daily`.
fn command(line: &str) -> &str {
    let fields = if line.trim_start().starts_with('@') { 1 } else { 5 };
    let mut rest = line.trim();
    for _ in 0..fields {
        rest = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
    }
    if rest.is_empty() { line.trim() } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn only_what_was_new_is_taken_out_and_of_equal_lines_the_last() {
        let table = "# mine\n@daily a\n\n* * * * * b\n@daily a\n@hourly c";
        assert_eq!(without(table, &lines(&["@daily a"])), "# mine\n@daily a\n\n* * * * * b\n@hourly c");
        assert_eq!(without(table, &lines(&["@hourly c", "* * * * * b"])), "# mine\n@daily a\n\n@daily a\n");
        assert_eq!(without(table, &lines(&["* * * * * bb", "mine"])), table, "a part of a line, or a longer one, is another line");
        assert_eq!(without("a\r\nb\r\n", &lines(&["a"])), "b\r\n");
    }

    #[test]
    fn a_line_that_was_changed_is_not_taken_to_be_gone() {
        let seen = lines(&["0 4 * * * /srv/poll --all", "@reboot /srv/serve"]);
        assert_eq!(find("0 4 * * * /srv/poll --all\n@reboot /srv/serve\n", &seen), Found::AsSeen);
        assert_eq!(find("@reboot /srv/serve\n", &seen), Found::AsSeen, "one of them is left");
        assert_eq!(find("# 0 4 * * * /srv/poll --all\n@daily other\n", &seen), Found::Gone);
        let changed = "0 5 * * * /srv/poll --all\n@reboot /srv/serve\n";
        let words = "there is `0 5 * * * /srv/poll --all` where `0 4 * * * /srv/poll --all` was";
        assert_eq!(find(changed, &seen), Found::Changed(words.to_owned()));
    }
}
