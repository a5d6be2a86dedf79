//! `--junit FILE`: one testcase a phase, for what shows test results.
//!
//! | outcome              | testcase  |
//! |----------------------|-----------|
//! | verified             | passed    |
//! | failed               | failure   |
//! | unknown              | error     |
//! | unverified, skipped, cancelled, waiting, not begun | skipped: none of them is a green |

use std::fmt::Write as _;

use super::summary::Tail;
use crate::base::time::Span;
use crate::kernel::outcome::{Outcome, Proof};
use crate::views::status::{GoalStatus, PhaseStatus};

/// The report as XML 1.0.
pub fn junit(goal: &GoalStatus, elapsed: Span, tails: &[Tail]) -> String {
    let count = |wanted: &dyn Fn(Option<Outcome>) -> bool| goal.phases.iter().filter(|phase| wanted(phase.outcome)).count();
    let failures = count(&|outcome| outcome == Some(Outcome::Failed));
    let errors = count(&|outcome| outcome == Some(Outcome::Unknown));
    let verified = count(&|outcome| outcome == Some(Outcome::Verified));
    let tests = goal.phases.len();
    let skipped = tests - failures - errors - verified;
    let totals =
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{}\"", seconds(elapsed));
    let (name, at) = (escape(&goal.name), goal.started.as_deref().unwrap_or_default());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(xml, "<testsuites name=\"sculpt\" {totals}>");
    let _ = writeln!(xml, "  <testsuite name=\"{name}\" {totals} timestamp=\"{}\">", escape(at));
    properties(&mut xml, 4, &[("run", goal.run.as_deref().unwrap_or_default()), ("outcome", goal.outcome.word()), ("why", &goal.why)]);
    for phase in &goal.phases {
        testcase(&mut xml, goal, phase, tails);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn testcase(xml: &mut String, goal: &GoalStatus, phase: &PhaseStatus, tails: &[Tail]) {
    let (class, name, time) = (escape(&goal.name), escape(&phase.name), seconds(Span(phase.elapsed_ms.unwrap_or(0))));
    let _ = writeln!(xml, "    <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\">");
    let attempts = phase.attempts.to_string();
    let proof = phase.proof.map_or("none", Proof::word);
    properties(xml, 6, &[("outcome", phase.state), ("proof", proof), ("attempts", &attempts)]);
    let why = escape(&phase.why);
    match phase.outcome {
        Some(Outcome::Verified) => {}
        Some(Outcome::Failed) => {
            let _ = writeln!(xml, "      <failure type=\"failed\" message=\"{why}\"/>");
        }
        Some(Outcome::Unknown) => {
            let _ = writeln!(xml, "      <error type=\"unknown\" message=\"{why}\"/>");
        }
        _ => {
            let _ = writeln!(xml, "      <skipped message=\"{}: {why}\"/>", phase.state);
        }
    }
    let place = format!("{}/{}", goal.name, phase.name);
    if let Some(tail) = tails.iter().find(|tail| tail.place == place) {
        let _ = writeln!(xml, "      <system-out>{}</system-out>", escape(&tail.lines.join("\n")));
    }
    xml.push_str("    </testcase>\n");
}

fn properties(xml: &mut String, indent: usize, properties: &[(&str, &str)]) {
    let _ = writeln!(xml, "{:indent$}<properties>", "");
    for (name, value) in properties {
        let _ = writeln!(xml, "{:indent$}  <property name=\"{name}\" value=\"{}\"/>", "", escape(value));
    }
    let _ = writeln!(xml, "{:indent$}</properties>", "");
}

fn seconds(span: Span) -> String {
    format!("{}.{:03}", span.0 / 1000, span.0 % 1000)
}

/// A text as it may stand in XML: what XML 1.0 has no way to write becomes the replacement character.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_write_is_replaced() {
        assert_eq!(escape("a<b>&\"c\"\u{1b}[0m\u{0}\n"), "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}[0m\u{fffd}&#10;");
    }
}
