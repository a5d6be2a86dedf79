//! The plan as a Mermaid flowchart, which code hosts draw in Markdown.

use super::explanation::Explanation;
use super::graph;
use super::page::Page;
use crate::plan::sealed::Part;

/// Draws a plan in Mermaid.
pub fn mermaid(explanation: &Explanation) -> String {
    let mut page = Page::new(false);
    page.line("flowchart LR");
    for (at, phase) in explanation.phases.iter().enumerate() {
        let when = phase.when.as_ref().map(|when| format!("<br/>when {}", escaped(when))).unwrap_or_default();
        let (open, close) = match phase.part {
            Part::Phase => ("[\"", "\"]"),
            Part::Finally => ("[/\"", "\"/]"),
            Part::Goal => ("([\"", "\"])"),
        };
        page.line(format_args!("  p{at}{open}{}{when}{close}", escaped(phase.name.as_str())));
    }
    for edge in graph::edges(explanation) {
        let (from, to) = (edge.from, edge.to);
        match (graph::word(edge.unlock), edge.critical) {
            (Some(word), true) => page.line(format_args!("  p{from} == {word} ==> p{to}")),
            (Some(word), false) => page.line(format_args!("  p{from} -. {word} .-> p{to}")),
            (None, true) => page.line(format_args!("  p{from} ==> p{to}")),
            (None, false) => page.line(format_args!("  p{from} --> p{to}")),
        }
    }
    page.finish()
}

/// A text in a quoted label. Mermaid knows no backslash; its own entities are written with `#`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' => out.push_str("#34;"),
            '#' => out.push_str("#35;"),
            '&' => out.push_str("#38;"),
            '<' => out.push_str("#60;"),
            '>' => out.push_str("#62;"),
            '\\' => out.push_str("#92;"),
            '`' => out.push_str("#96;"),
            '\n' => out.push_str("<br/>"),
            char if char.is_control() => out.push(' '),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_label() {
        assert_eq!(escaped("a \"b\" <c> #1\nd"), "a #34;b#34; #60;c#62; #35;1<br/>d");
    }
}
