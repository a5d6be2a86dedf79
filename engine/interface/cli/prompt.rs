//! Questions at the terminal. Reading blocks, so it has a thread of its own, which ends with the process.

use std::io::{BufRead as _, Write as _};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::base::owner::Owner;
use crate::interface::terminal::{Look, Tone};

/// What a person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The phase that asked.
    pub owner: Owner,
    /// Yes or no.
    pub yes: bool,
    /// What else was written.
    pub text: Option<String>,
}

/// Asks the person at the terminal, one question after the other.
#[derive(Debug)]
pub struct Prompter {
    questions: UnboundedSender<(Owner, String)>,
    said: UnboundedReceiver<Said>,
}

impl Prompter {
    /// Begins to listen once the first question is asked.
    pub fn start(look: Look) -> Self {
        let (questions, mut asked) = unbounded_channel::<(Owner, String)>();
        let (tell, said) = unbounded_channel();
        std::thread::spawn(move || {
            while let Some((owner, question)) = asked.blocking_recv() {
                let Some(said) = put(owner, &question, look) else { return };
                if tell.send(said).is_err() {
                    return;
                }
            }
        });
        Self { questions, said }
    }

    /// Puts a question.
    pub fn ask(&self, owner: Owner, question: String) {
        // Where the person has left, nobody is asked; the next `hear` says so.
        drop(self.questions.send((owner, question)));
    }

    /// Waits for an answer; none where the person has left.
    pub async fn hear(&mut self) -> Option<Said> {
        self.said.recv().await
    }
}

/// Asks until the answer is one. None at the end of the input.
fn put(owner: Owner, question: &str, look: Look) -> Option<Said> {
    let mut input = std::io::stdin().lock();
    let mut out = std::io::stdout();
    let head = look.paint(Tone::Yellow, &format!("{} {owner} asks:", look.pick("…", "~")));
    let mut text = format!("\n{head} {question}\n");
    loop {
        text.push_str("  yes or no (what you write after it is kept): ");
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok()?;
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some((yes, text)) = parse(&line) {
            return Some(Said { owner, yes, text });
        }
        "  that is neither yes nor no\n".clone_into(&mut text);
    }
}

/// `y`, `yes`, `n`, `no`, and what is written after it. Nothing else is an answer, and never a yes.
pub fn parse(line: &str) -> Option<(bool, Option<String>)> {
    let line = line.trim();
    let (word, rest) = line.split_once(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';')).unwrap_or((line, ""));
    let yes = match word.to_lowercase().as_str() {
        "y" | "yes" => true,
        "n" | "no" => false,
        _ => return None,
    };
    let rest = rest.trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';'));
    Some((yes, (!rest.is_empty()).then(|| rest.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_a_yes() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(parse("y\n"), Some((true, None)));
        assert_eq!(parse(" YES, and thanks "), Some((true, text("and thanks"))));
        assert_eq!(parse("no: the third is missing"), Some((false, text("the third is missing"))));
        for other in ["", "\n", "yesterday", "maybe", "ok", "not sure"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
