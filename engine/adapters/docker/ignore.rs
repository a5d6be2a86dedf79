//! `.dockerignore`: what of a build context is not sent.
//!
//! What Docker documents: a pattern a line, `#` comments, `*` and `?` within a name, `[a-z]`, `**` for any number of folders, `!` for an
//! exception, the last line that matches decides; a pattern that matches a folder matches what is in it; a leading or trailing `/` means
//! nothing. Not supported: `\` escapes, and `..` within a pattern.

use std::path::Path;

use glob::{MatchOptions, Pattern};

use super::error::DockerError;

const HOW: MatchOptions = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// What is not sent.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    /// Whether what matches is sent after all.
    keeps: bool,
}

impl Ignore {
    /// Reads the text of a `.dockerignore`.
    ///
    /// # Errors
    /// Where a pattern makes no sense: sending too much could show a secret, sending too little breaks the build in a way that is hard to see.
    pub(super) fn read(text: &str) -> Result<Self, DockerError> {
        let mut rules = Vec::new();
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (keeps, rest) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim_start()));
            let cleaned: Vec<&str> = rest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            let wrong = |said: &str| DockerError::Ignore { line: at + 1, pattern: line.to_owned(), said: said.to_owned() };
            if cleaned.contains(&"..") {
                return Err(wrong("`..` is not supported"));
            }
            if rest.contains('\\') {
                return Err(wrong("`\\` is not supported"));
            }
            if cleaned.is_empty() {
                continue;
            }
            let pattern = Pattern::new(&cleaned.join("/")).map_err(|error| wrong(error.msg))?;
            rules.push(Rule { pattern, keeps });
        }
        Ok(Self { rules })
    }

    /// Whether a path, relative to the context, is not sent.
    pub(super) fn ignores(&self, path: &Path) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            // Only a rule that would change something is asked.
            if rule.keeps == ignored
                && path.ancestors().any(|part| !part.as_os_str().is_empty() && rule.pattern.matches_path_with(part, HOW))
            {
                ignored = !rule.keeps;
            }
        }
        ignored
    }

    /// Whether something inside of an ignored folder may be sent after all.
    pub(super) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.keeps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(text: &str, paths: &[&str]) -> Vec<bool> {
        let ignore = Ignore::read(text).unwrap();
        paths.iter().map(|path| ignore.ignores(Path::new(path))).collect()
    }

    #[test]
    fn patterns_are_dockers() {
        let paths = ["a.log", "b/a.log", "b/c/a.log", "temp", "tempo/x", "keep.md"];
        assert_eq!(ignored("*.log", &paths), [true, false, false, false, false, false]);
        assert_eq!(ignored("*/*.log", &paths), [false, true, false, false, false, false]);
        assert_eq!(ignored("**/*.log", &paths), [true, true, true, false, false, false]);
        assert_eq!(ignored("temp?\n", &paths), [false, false, false, false, true, false]);
        assert_eq!(ignored("# temp\n\n/temp/\n", &paths), [false, false, false, true, false, false]);
        assert_eq!(ignored("b", &paths), [false, true, true, false, false, false]);
        assert_eq!(ignored("[a-b]*\n", &paths), [true, true, true, false, false, false]);
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        let paths = ["README.md", "a.md", "README-secret.md", "docs/x"];
        assert_eq!(ignored("*.md\n!README*.md\nREADME-secret.md", &paths), [false, true, true, false]);
        assert_eq!(ignored("*\n!docs", &paths), [true, true, true, false]);
        assert_eq!(ignored("!docs\n*", &paths), [true, true, true, true]);
    }

    #[test]
    fn a_pattern_without_sense_is_named() {
        for text in ["ok\n[a", "ok\n../x", "ok\na\\*"] {
            assert!(matches!(Ignore::read(text), Err(DockerError::Ignore { line: 2, .. })), "{text}");
        }
    }
}
