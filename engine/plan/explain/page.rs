//! A page of text for a terminal: headings, columns, and an end to lists that would not.

use std::fmt::Write as _;

/// How many lines a list may have.
const LINES: usize = 40;

/// How many members a list within a line may have.
const MEMBERS: usize = 8;

/// How a text stands out. Never by colour alone: the words say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Bold,
    Dim,
    Warning,
}

/// A text being written.
pub(super) struct Page {
    text: String,
    colour: bool,
}

impl Page {
    pub(super) const fn new(colour: bool) -> Self {
        Self { text: String::new(), colour }
    }

    pub(super) fn tone(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Warning => "33",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn line(&mut self, text: impl std::fmt::Display) {
        // A String takes everything.
        let _ = writeln!(self.text, "{text}");
    }

    pub(super) fn warning(&mut self, text: &str) {
        let text = self.tone(Tone::Warning, &format!("warning: {text}"));
        self.line(format_args!("  {text}"));
    }

    pub(super) fn heading(&mut self, text: &str) {
        let text = self.tone(Tone::Bold, text);
        self.line(format_args!("\n{text}"));
    }

    /// Columns as wide as their widest cell; of many rows the first.
    pub(super) fn table<const N: usize>(&mut self, titles: [&str; N], rows: &[[String; N]], what: &str) {
        let shown = &rows[..rows.len().min(LINES)];
        let width = |column: usize| shown.iter().map(|row| row[column].chars().count()).chain([titles[column].chars().count()]).max();
        let filled: [bool; N] = std::array::from_fn(|column| shown.iter().any(|row| !row[column].is_empty()));
        let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
        let joined = |cells: [&str; N]| {
            let cells = cells.iter().zip(widths).zip(filled).filter(|(_, filled)| *filled);
            let line: Vec<String> = cells.map(|((cell, width), _)| format!("{cell:<width$}")).collect();
            format!("  {}", line.join("  ").trim_end())
        };
        let title = self.tone(Tone::Dim, &joined(titles));
        self.line(title);
        for row in shown {
            self.line(joined(std::array::from_fn(|column| row[column].as_str())));
        }
        self.left_out(rows.len(), what);
    }

    fn left_out(&mut self, count: usize, what: &str) {
        if count > LINES {
            let text = format!("… and {} more {what}; `--format json` shows all of them", count - LINES);
            let text = self.tone(Tone::Dim, &text);
            self.line(format_args!("  {text}"));
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// The members of a list in one line: of many the first ones and the last.
pub(super) fn chain(members: &[String], between: &str) -> String {
    if members.len() <= MEMBERS {
        return members.join(between);
    }
    let last = members.last().map(String::as_str).unwrap_or_default();
    let hidden = members.len() - MEMBERS;
    format!("{}{between}… {hidden} more{between}{last}", members[..MEMBERS - 1].join(between))
}

/// A text of one line and at most so many characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let line: String = text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if line.chars().count() <= most {
        return line;
    }
    let kept: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `1 phase`, `2 phases`.
pub(super) fn counted(count: usize, one: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {one}{plural}")
}
