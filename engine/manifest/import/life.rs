//! How a service lives: limits, restarts, how it stops, how many of it there are.

use serde_json::{Map, Value, json};

use super::finding::Findings;
use super::item::Item;
use super::keys::{DEPLOY, LIMITS, RESOURCES, RESTART_POLICY};
use super::units::{duration, size};

/// The most instances that are written out.
const MOST_INSTANCES: u32 = 1000;

/// Signals that a goal can name, and their numbers.
const SIGNALS: [(&str, &str); 8] = [
    ("SIGHUP", "1"),
    ("SIGINT", "2"),
    ("SIGQUIT", "3"),
    ("SIGKILL", "9"),
    ("SIGUSR1", "10"),
    ("SIGUSR2", "12"),
    ("SIGTERM", "15"),
    ("SIGWINCH", "28"),
];

/// What a service may use. What `deploy` says wins, as in Compose.
pub(super) fn limits(service: &Item<'_>, findings: &mut Findings<'_>) -> Option<Value> {
    let mut limits = Map::new();
    let declared = |path: &[&str], short: &str| service.at(path).or_else(|| service.get(short));
    if let Some(item) = declared(&["deploy", "resources", "limits", "memory"], "mem_limit")
        && let Some(text) = findings.fixed(&item)
    {
        match size(&text) {
            Some(bytes) if bytes.0 > 0 => drop(limits.insert("memory".to_owned(), bytes.to_string().into())),
            Some(_) => {}
            None => findings.wrong_type(&item, "a size like `512m`"),
        }
    }
    if let Some(item) = declared(&["deploy", "resources", "limits", "cpus"], "cpus")
        && let Some(text) = findings.fixed(&item)
    {
        match text.parse::<f64>() {
            Ok(0.0) => {}
            Ok(cpus) if (0.01..=4096.0).contains(&cpus) => drop(limits.insert("cpus".to_owned(), json!(cpus))),
            _ => findings.wrong_type(&item, "a number of processors from 0.01 to 4096"),
        }
    }
    if let Some(item) = declared(&["deploy", "resources", "limits", "pids"], "pids_limit")
        && let Some(text) = findings.fixed(&item)
    {
        match text.parse::<i64>() {
            // No limit, which is what no key says.
            Ok(..=0) => {}
            Ok(pids) if u32::try_from(pids).is_ok() => drop(limits.insert("pids".to_owned(), pids.into())),
            _ => findings.wrong_type(&item, "a whole number"),
        }
    }
    if let Some(files) = open_files(service, findings) {
        limits.insert("files".to_owned(), files.into());
    }
    (!limits.is_empty()).then_some(Value::Object(limits))
}

fn open_files(service: &Item<'_>, findings: &mut Findings<'_>) -> Option<u64> {
    let ulimits = service.get("ulimits")?;
    let mut files = None;
    for (name, limit) in ulimits.entries() {
        if name != "nofile" {
            findings.not_mapped(&limit, "of the limits of a process a goal has `files`, `pids` and `memory`", "");
            continue;
        }
        let soft = limit.get("soft").unwrap_or_else(|| limit.clone());
        let Some(text) = findings.fixed(&soft) else { continue };
        match text.parse::<u64>() {
            Ok(number @ 3..) => files = Some(number),
            _ => findings.wrong_type(&soft, "a whole number from 3"),
        }
        if let Some(hard) = limit.get("hard").filter(|hard| hard.scalar().is_some_and(|hard| hard != text)) {
            findings.differs(&hard, "a goal has one limit of open files, the soft one", "");
        }
    }
    files
}

/// What `deploy` says that is not asked for elsewhere.
pub(super) fn deploy(service: &Item<'_>, findings: &mut Findings<'_>) {
    let Some(deploy) = service.get("deploy") else { return };
    findings.sort_out(&deploy, DEPLOY);
    for (path, table) in [(&["resources"][..], RESOURCES), (&["resources", "limits"], LIMITS), (&["restart_policy"], RESTART_POLICY)] {
        if let Some(item) = deploy.at(path) {
            findings.sort_out(&item, table);
        }
    }
    if let Some(mode) = deploy.get("mode").filter(|mode| mode.scalar().as_deref() != Some("replicated")) {
        findings.not_mapped(&mode, "a goal is carried out on one host, where each service is there as often as it says", "");
    }
}

/// `restart` and `restart_limits`. What `deploy` says wins, as in Compose.
pub(super) fn restart(service: &Item<'_>, findings: &mut Findings<'_>) -> (Option<&'static str>, Option<Value>) {
    if let Some(policy) = service.at(&["deploy", "restart_policy"]) {
        return restart_policy(&policy, findings);
    }
    let Some(item) = service.get("restart") else { return (None, None) };
    let Some(text) = findings.fixed(&item) else { return (None, None) };
    let (word, count) = text.split_once(':').map_or((text.as_str(), None), |(word, count)| (word, Some(count)));
    let policy = match word {
        // YAML 1.1 reads a bare `no` as false.
        "no" | "false" => "no",
        "always" => "always",
        "on-failure" => "on-failure",
        "unless-stopped" => "unless-stopped",
        _ => {
            findings.wrong_type(&item, "`no`, `always`, `on-failure[:N]` or `unless-stopped`");
            return (None, None);
        }
    };
    let attempts = count.and_then(|count| count.parse::<u32>().ok());
    if count.is_some() && attempts.is_none() {
        findings.wrong_type(&item, "`on-failure:N` with a whole number");
    }
    (Some(policy), attempts.filter(|attempts| *attempts > 0).map(|attempts| json!({ "attempts": attempts })))
}

fn restart_policy(policy: &Item<'_>, findings: &mut Findings<'_>) -> (Option<&'static str>, Option<Value>) {
    let condition = policy.get("condition");
    let word = match condition.as_ref().map(|item| (item, findings.fixed(item))) {
        None => "always",
        Some((item, text)) => match text.as_deref() {
            Some("any") => "always",
            Some("on-failure") => "on-failure",
            Some("none") => "no",
            Some(_) => {
                findings.wrong_type(item, "`none`, `on-failure` or `any`");
                return (None, None);
            }
            None => return (None, None),
        },
    };
    let mut limits = Map::new();
    if let Some(item) = policy.get("max_attempts")
        && let Some(text) = findings.fixed(&item)
    {
        match text.parse::<u32>() {
            Ok(0) => {}
            Ok(attempts) => drop(limits.insert("attempts".to_owned(), attempts.into())),
            Err(_) => findings.wrong_type(&item, "a whole number"),
        }
    }
    if let Some(item) = policy.get("window")
        && let Some(text) = findings.fixed(&item)
    {
        match duration(&text) {
            Some(span) if span.0 == 0 => {}
            Some(span) => drop(limits.insert("reset_after".to_owned(), span.to_string().into())),
            None => findings.wrong_type(&item, "a duration like `2m`"),
        }
    }
    (Some(word), (!limits.is_empty()).then_some(Value::Object(limits)))
}

/// How a service is stopped.
pub(super) fn stop(service: &Item<'_>, findings: &mut Findings<'_>) -> Option<Value> {
    let mut stop = Map::new();
    if let Some(item) = service.get("stop_signal")
        && let Some(text) = findings.fixed(&item)
    {
        let signal = text.to_ascii_uppercase();
        let known = SIGNALS.iter().find(|(name, number)| signal == *name || name.strip_prefix("SIG") == Some(&signal) || signal == *number);
        if let Some((name, _)) = known {
            drop(stop.insert("signal".to_owned(), (*name).into()));
        } else {
            let names: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
            findings.not_mapped(&item, "a goal cannot name this signal", &format!("there is {}", names.join(", ")));
        }
    }
    if let Some(item) = service.get("stop_grace_period")
        && let Some(text) = findings.fixed(&item)
    {
        match duration(&text) {
            Some(span) => drop(stop.insert("grace".to_owned(), span.to_string().into())),
            None => findings.wrong_type(&item, "a duration like `1m30s`"),
        }
    }
    (!stop.is_empty()).then_some(Value::Object(stop))
}

/// How many of a service there are; 1 where it is not said.
pub(super) fn replicas(service: &Item<'_>, findings: &mut Findings<'_>) -> u32 {
    let Some(item) = service.at(&["deploy", "replicas"]).or_else(|| service.get("scale")) else { return 1 };
    let Some(text) = findings.fixed(&item) else { return 1 };
    match text.parse::<u32>() {
        Ok(number @ 2..=MOST_INSTANCES) => {
            let why = format!("{number} instances are {number} resources of their own: no one name balances between them");
            findings.differs(&item, why, "put a proxy before them");
            number
        }
        Ok(number @ 0..=1) => number,
        _ => {
            findings.wrong_type(&item, "a whole number up to 1000");
            1
        }
    }
}
