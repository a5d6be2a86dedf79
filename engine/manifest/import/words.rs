//! A command as a text → its words, as a shell would cut them: quotes, backslashes, no expansion.

use super::interpolate::{Template, Unit};

/// The words of a command; none where a quote is not closed or a backslash stands last.
pub(super) fn words(command: &Template) -> Option<Vec<Template>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<Unit>> = None;
    let mut quote = None;
    let mut units = command.units().iter();
    while let Some(unit) = units.next() {
        match (unit, quote) {
            (Unit::Char(char), None) if char.is_whitespace() => words.extend(word.take()),
            (Unit::Char(char @ ('"' | '\'')), None) => {
                quote = Some(*char);
                word.get_or_insert_default();
            }
            (Unit::Char(char), Some(open)) if *char == open => quote = None,
            (Unit::Char('\\'), None) => word.get_or_insert_default().push(units.next()?.clone()),
            (Unit::Char('\\'), Some('"')) => {
                let next = units.next()?;
                let word = word.get_or_insert_default();
                if !matches!(next, Unit::Char('"' | '\\' | '$' | '`')) {
                    word.push(Unit::Char('\\'));
                }
                word.push(next.clone());
            }
            (unit, _) => word.get_or_insert_default().push(unit.clone()),
        }
    }
    words.extend(word);
    quote.is_none().then(|| words.iter().map(|word| Template::of(word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_a_shell_cuts_them() {
        let cut = |text: &str| -> Option<Vec<String>> { Some(words(&Template::parse(text).ok()?)?.iter().map(Template::render).collect()) };
        for (text, expected) in [
            ("a  b\tc\n", &["a", "b", "c"][..]),
            ("sh -c 'echo \"x y\"'", &["sh", "-c", "echo \"x y\""]),
            ("a\\ b \"c\\\"d\\n\" ''", &["a b", "c\"d\\n", ""]),
            ("x='1 2'y", &["x=1 2y"]),
            ("run ${A:-b c}d", &["run", "{{ env.A | default('b c', true) }}d"]),
            ("", &[]),
        ] {
            assert_eq!(cut(text).as_deref(), Some(&expected.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()[..]), "{text}");
        }
        assert_eq!((cut("a 'b"), cut("a \"b"), cut("a\\")), (None, None, None));
    }
}
