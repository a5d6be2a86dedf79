//! What was captured from a real run still fits the goal and the program: the phases, their checks, the resources, the words, the commands.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use super::blocks::blocks;
use super::console::{shell, steps};
use super::{Page, root};

/// The lines of `sculpt run`, `ps`, `why` and `down` that a capture may hold, after times and places were taken out.
const SHAPES: [&str; 22] = [
    r"^TIME ▸ RUN started with \d+ phases$",
    r"^TIME ▸ started PHASE$",
    r"^TIME ✓ ready RESOURCE: status 200 from ADDRESS$",
    r"^TIME ✓ verified PHASE \(proven, TIME\): \d checks? red before, green after$",
    r"^TIME ✓ verified RUN \(TIME\): all phases ended as they should$",
    r"^✓ verified NAME proven TIME \d checks? red before, green after$",
    r"^✓ RUN verified in TIME: \d verified$",
    r"^(there|kept): RESOURCE \(directory\)$",
    r"^up: RESOURCE \(process, pid \d+\)$",
    r"^end it with `sculpt down GOAL`$",
    r"^PLACE KIND PID RUN STATE$",
    r"^RESOURCE (directory|process) (-|\d+) RUN ✓ ready(, kept by `down`)?$",
    r"^✓ verified PHASE$",
    r"^PHASE is verified: \d checks? red before, green after\.$",
    r"^Proof: proven; every check was seen to fail before the work and passes after it\. That was TIME ago\.$",
    r"^checks:$",
    r"^\d\. http GET .+$",
    r"^before ✗ fail: \$\.total is `0`, wanted `3`$",
    r"^after ✓ pass: status 200 from ADDRESS$",
    r"^log: \.opensculpt/runs/RUN/logs/leads\.1\.log$",
    r"^TIME (▸ taking down GOAL|○ gone RESOURCE: (ended|removed))$",
    r"^TIME ○ down GOAL: survivors: 0(; kept: RESOURCE)?$",
];

/// The goal as `sculpt plan` knows it.
struct Known {
    goal: String,
    /// Phases with the number of their checks.
    phases: Vec<(String, u64)>,
    resources: BTreeSet<String>,
}

fn known(goal: &str) -> Known {
    let plan: serde_json::Value = serde_json::from_str(&shell(root(), &format!("sculpt plan {goal} --json"))).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    Known {
        goal: text(&plan["goal"]),
        phases: plan["phases"].as_array().unwrap().iter().map(|phase| (text(&phase["name"]), phase["checks"].as_u64().unwrap())).collect(),
        resources: plan["resources"].as_array().unwrap().iter().map(|resource| text(&resource["owner"])).collect(),
    }
}

/// The line with its times and places named, as [`SHAPES`] have them.
fn shaped(line: &str, known: &Known) -> String {
    let mut line = Regex::new(r"\b(\d+m\d+s|\d+(\.\d+)?(ms|s))\b").unwrap().replace_all(line, "TIME").into_owned();
    line = Regex::new(r"\b127\.0\.0\.1:\d+").unwrap().replace_all(&line, "ADDRESS").into_owned();
    for resource in &known.resources {
        line = line.replace(resource.as_str(), "RESOURCE");
    }
    for (phase, _) in &known.phases {
        line = line.replace(&format!("{}/{phase}", known.goal), "PHASE");
        line = line.replace(&format!("✓ verified    {phase} "), "✓ verified NAME ");
    }
    line = line.replace(&format!("{}.1", known.goal), "RUN").replace(&format!("down {}", known.goal), "down GOAL");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn captures_fit_the_goal_and_the_program() {
    let page = Page::read("README.md");
    let shapes: Vec<Regex> = SHAPES.iter().map(|shape| Regex::new(shape).unwrap()).collect();
    let verbs = verbs();
    let mut used = BTreeSet::new();
    let mut ran = 0;
    for block in blocks(&page) {
        let Some(goal) = block.marker.as_deref().and_then(|marker| marker.strip_prefix("captured: ")) else { continue };
        let known = known(goal);
        for step in steps(&block) {
            let words: Vec<&str> = step.command.split_whitespace().collect();
            let verb = words.iter().skip_while(|word| !matches!(**word, "sculpt" | "--")).nth(1).unwrap();
            assert!(verbs.contains(*verb), "`{}`: there is no `{verb}`", step.command);
            for line in step.output.lines().filter(|line| !line.is_empty() && !is_cargos(line)) {
                let line = shaped(line, &known);
                let shape = shapes.iter().position(|shape| shape.is_match(&line));
                used.insert(shape.unwrap_or_else(|| panic!("the program would not say: {line}")));
            }
            if *verb == "run" {
                for (phase, checks) in &known.phases {
                    let plural = if *checks == 1 { "" } else { "s" };
                    let place = format!("{}/{phase} (proven", known.goal);
                    let told = format!(": {checks} check{plural} red before, green after");
                    let line = step.output.lines().find(|line| line.contains(&place));
                    assert!(line.is_some_and(|line| line.ends_with(&told)), "{phase}: {line:?}, wanted {told}");
                }
                ran += 1;
            }
        }
    }
    assert_eq!(ran, 1);
    let unused: Vec<_> = (0..SHAPES.len()).filter(|shape| !used.contains(shape)).map(|shape| SHAPES[shape]).collect();
    assert!(unused.is_empty(), "no capture has such a line: {unused:#?}");
}

/// What cargo says before the program speaks.
fn is_cargos(line: &str) -> bool {
    ["Compiling ", "Finished ", "Running "].iter().any(|word| line.trim_start().starts_with(word))
}

/// The verbs that `sculpt --help` names.
fn verbs() -> BTreeSet<String> {
    let help = shell(Path::new("/"), "sculpt --help");
    let verb = Regex::new("(?m)^  ([a-z]+)  +[a-z]").unwrap();
    verb.captures_iter(&help).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_readme_names_every_verb_and_no_other() {
    let page = Page::read("README.md");
    let section = page.text.split("\n## Commands\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let first = Regex::new("`([a-z]+)").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let named: BTreeSet<String> = rows.flat_map(|cell| first.captures_iter(cell).map(|found| found[1].to_owned())).collect();
    assert_eq!(named, verbs());
}

#[test]
fn the_readme_names_every_exit_code_of_a_run() {
    use opensculpt::kernel::outcome::Verdict;
    let page = Page::read("README.md");
    let section = page.text.split("\n## Exit codes\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let named: BTreeSet<u8> = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok()).collect();
    let all = [Verdict::Verified, Verdict::Failed, Verdict::Unproven, Verdict::Waiting, Verdict::Budget, Verdict::Cancelled];
    let mut real: BTreeSet<u8> = all.iter().map(|verdict| verdict.exit_code()).collect();
    real.insert(opensculpt::interface::failure::USAGE);
    assert_eq!(named, real);
}

#[test]
fn the_readme_names_the_rust_that_is_needed() {
    let cargo = Page::read("Cargo.toml");
    let version = cargo.text.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"')).unwrap();
    assert!(Page::read("README.md").text.contains(&format!("Rust {version}")), "Rust {version}");
}
