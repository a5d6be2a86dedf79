//! How a stream may be written to: colours, symbols, live lines. Colour never says anything alone.

use std::io::{IsTerminal, Write};

use super::failure::Failure;

/// The meaning of a piece of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Proven, ready.
    Green,
    /// To be looked at.
    Yellow,
    /// Wrong.
    Red,
    /// At work.
    Blue,
    /// Nobody knows, or it does not matter.
    Dim,
    /// A name that is looked for.
    Bold,
}

/// How a stream may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Escape sequences for colours.
    pub colour: bool,
    /// More than ASCII.
    pub unicode: bool,
    /// Lines that change: it is a terminal, and not a dumb one.
    pub live: bool,
}

impl Look {
    /// Neither colours nor symbols: what a file gets in the plainest of locales.
    pub const PLAIN: Self = Self { colour: false, unicode: false, live: false };

    /// How a stream may be written to, as the environment says: a terminal, `NO_COLOR`, `TERM`, the locale.
    pub fn of(stream: &impl IsTerminal, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let live = stream.is_terminal() && set("TERM").is_none_or(|term| term != "dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
        let unicode = (locale.contains("utf-8") || locale.contains("utf8")) && set("TERM").is_none_or(|term| term != "linux");
        Self { colour: live && set("NO_COLOR").is_none(), unicode, live }
    }

    /// The text in the colour of its meaning, where colours may be.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Green => 32,
            Tone::Yellow => 33,
            Tone::Red => 31,
            Tone::Blue => 36,
            Tone::Dim => 2,
            Tone::Bold => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// One of two texts: with symbols, or in ASCII.
    pub const fn pick(self, symbol: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { symbol } else { ascii }
    }

    /// The symbol and the tone of a word for a state: of a goal, a phase, or a resource.
    pub fn mark(self, word: &str) -> (&'static str, Tone) {
        match word {
            "verified" | "ready" | "pass" => (self.pick("✓", "+"), Tone::Green),
            "unverified" | "unproven" | "unhealthy" | "marked" => ("!", Tone::Yellow),
            "failed" | "regressed" | "interrupted" | "fail" | "budget" => (self.pick("✗", "x"), Tone::Red),
            "unknown" => ("?", Tone::Dim),
            "running" | "verifying" | "stopping" | "creating" => (self.pick("▸", ">"), Tone::Blue),
            "waiting" => (self.pick("…", "~"), Tone::Yellow),
            "backing off" => (self.pick("↻", "~"), Tone::Yellow),
            _ => (self.pick("○", "-"), Tone::Dim),
        }
    }

    /// A word for a state with its symbol, in its colour.
    pub fn state(self, word: &str) -> String {
        let (symbol, tone) = self.mark(word);
        self.paint(tone, &format!("{symbol} {word}"))
    }

    /// The same, filled up with spaces to a width that counts no colours.
    pub fn state_wide(self, word: &str, width: usize) -> String {
        let (symbol, tone) = self.mark(word);
        self.paint(tone, &format!("{symbol} {word:<width$}"))
    }
}

/// Writes to standard output. A reader that has gone away ends the command, and is no fault.
pub fn show(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::output)
}

/// Writes a value as JSON, with a newline.
pub fn show_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| Failure::output(error.into()))?;
    text.push('\n');
    show(&text)
}

/// The environment of this process.
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::outcome::Outcome;
    use crate::kernel::resource::ResourceState;
    use crate::views::standing::GoalOutcome;

    #[test]
    fn a_file_gets_no_colours_and_the_locale_decides_on_symbols() {
        let file = std::fs::File::open("/dev/null").expect("it is there");
        let look = |vars: &[(&str, &str)]| {
            Look::of(&file, &|name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(look(&[]), Look::PLAIN);
        assert_eq!(look(&[("LANG", "de_DE.UTF-8"), ("TERM", "xterm")]), Look { unicode: true, ..Look::PLAIN });
        assert_eq!(look(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]), Look::PLAIN, "LC_ALL comes first");
        assert_eq!(look(&[("LC_ALL", ""), ("LANG", "C.utf8")]), Look { unicode: true, ..Look::PLAIN }, "what is empty is not set");
    }

    #[test]
    fn every_state_has_a_symbol_in_both_alphabets() {
        let unicode = Look { unicode: true, ..Look::PLAIN };
        let goals = [GoalOutcome::Verified, GoalOutcome::Failed, GoalOutcome::Regressed, GoalOutcome::Waiting, GoalOutcome::Down];
        let words = goals.map(GoalOutcome::word).into_iter().chain([Outcome::Unknown.word(), ResourceState::Ready.word()]);
        let text: Vec<String> = words.map(|word| format!("{} | {}", unicode.state(word), Look::PLAIN.state(word))).collect();
        assert_eq!(
            text.join("\n"),
            "✓ verified | + verified\n✗ failed | x failed\n✗ regressed | x regressed\n… waiting | ~ waiting\n○ down | - down\n? unknown | ? unknown\n✓ ready | + ready"
        );
        assert_eq!(Look { colour: true, ..unicode }.state("failed"), "\u{1b}[31m✗ failed\u{1b}[0m");
    }
}
