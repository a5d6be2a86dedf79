//! The plan as a graph for Graphviz.

use super::explanation::Explanation;
use super::graph;
use super::page::Page;
use crate::plan::sealed::Part;

/// Draws a plan in DOT: `sculpt plan FILE --format dot | dot -Tsvg`.
pub fn dot(explanation: &Explanation) -> String {
    let mut page = Page::new(false);
    page.line(format_args!("digraph {} {{", quoted(explanation.goal.as_str())));
    page.line(
        "  rankdir=LR;
  node [shape=box, style=rounded];",
    );
    for (at, phase) in explanation.phases.iter().enumerate() {
        let label = phase.when.as_ref().map_or_else(|| phase.name.to_string(), |when| format!("{}\nwhen {when}", phase.name));
        let style = match phase.part {
            Part::Phase => "",
            Part::Finally => ", style=\"rounded,dashed\"",
            Part::Goal => ", shape=ellipse",
        };
        page.line(format_args!("  p{at} [label={}{style}];", quoted(&label)));
    }
    for edge in graph::edges(explanation) {
        let mut attributes = Vec::new();
        if let Some(word) = graph::word(edge.unlock) {
            attributes.push(format!("label={}, style=dashed", quoted(word)));
        }
        if edge.critical {
            attributes.push("penwidth=2".to_owned());
        }
        let attributes = if attributes.is_empty() { String::new() } else { format!(" [{}]", attributes.join(", ")) };
        page.line(format_args!("  p{} -> p{}{attributes};", edge.from, edge.to));
    }
    page.line("}");
    page.finish()
}

/// A text as a quoted string of DOT, in which a backslash begins an escape of its own.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            char if char.is_control() => out.push(' '),
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(quoted("a \"b\" \\N\n\tc"), r#""a \"b\" \\N\n c""#);
    }
}
