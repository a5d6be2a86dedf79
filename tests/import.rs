//! The corpus of Compose files: what becomes of each, word for word.
//!
//! Beside each `tests/import/NAME.compose.yaml` stand `NAME.goal.yaml`, the goal made of it, and `NAME.notes.txt`, what is said on standard
//! error. A file that is refused has notes only. `UPDATE=1 cargo test import` writes them anew: read the difference before you commit it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opensculpt::base::diagnostic::Diagnostic;
use opensculpt::interface::report::{self, Format};
use opensculpt::manifest::import::compose::{Compose, Imported, import};
use opensculpt::manifest::import::keys::{self, Fate};

use crate::cli::{sculpt, workspace};
use crate::manifests;
use crate::part;

mod properties;

/// The keys of a service in the Compose specification, with those of the old versions 2 and 3 and of drafts that files still have.
const SERVICE_KEYS: &str = "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name \
    cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy \
    develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends external_links \
    extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging mac_address mem_limit \
    mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports \
    post_start pre_stop privileged profiles provider pull_policy pull_refresh_after read_only restart runtime scale secrets security_opt \
    shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes \
    volumes_from working_dir";

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import");
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = all.filter(|path| path.to_str().unwrap().ends_with(".compose.yaml")).collect();
    files.sort();
    assert!(files.len() >= 15, "{files:?}");
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().trim_end_matches(".compose.yaml").to_owned()
}

/// Imports a text as a file of the folder `deploy` of a workspace.
fn import_text(path: &str, text: &str, project: &str) -> Result<Imported, Vec<Diagnostic>> {
    import(Compose { path, bytes: text.as_bytes().to_vec(), folder: "deploy", project })
}

fn import_file(path: &Path) -> Result<Imported, Vec<Diagnostic>> {
    let name = name(path);
    import_text(&format!("{name}.compose.yaml"), &fs::read_to_string(path).unwrap(), &name)
}

fn compare(path: &Path, actual: &str, wrong: &mut Vec<String>) {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if actual == expected {
        return;
    }
    if std::env::var_os("UPDATE").is_none() {
        wrong.push(format!("{}: expected\n{expected}\nbut found\n{actual}", path.display()));
    } else if actual.is_empty() {
        fs::remove_file(path).unwrap();
    } else {
        fs::write(path, actual).unwrap();
    }
}

#[test]
fn each_file_becomes_exactly_this_goal_with_these_notes() {
    let mut wrong = Vec::new();
    for path in corpus() {
        let (goal, notes) = match import_file(&path) {
            Ok(imported) => (imported.manifest.clone(), imported.diagnostics()),
            Err(errors) => (String::new(), errors),
        };
        let beside = |extension: &str| path.with_file_name(format!("{}.{extension}", name(&path)));
        compare(&beside("goal.yaml"), &goal, &mut wrong);
        compare(&beside("notes.txt"), &report::render(&notes, Format::Human, false), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_made_is_valid_and_has_a_plan() {
    let mut count = 0;
    for path in corpus() {
        let Ok(imported) = import_file(&path) else { continue };
        let loaded = manifests::load_text(&imported.manifest);
        let loaded = loaded.unwrap_or_else(|found| panic!("{}\n{}", path.display(), report::render(&found, Format::Human, false)));
        assert_eq!(loaded.document.root.get("version").and_then(|node| node.text()), Some("1"), "{}", path.display());
        count += 1;
    }
    assert!(count >= 9, "only {count} files became goals");
}

#[test]
fn what_compose_takes_is_taken() {
    let there = Command::new("docker-compose").arg("version").output().is_ok();
    if !part::require("import beside docker-compose", "docker-compose", there) {
        return;
    }
    let mut taken = 0;
    for path in corpus() {
        let folder = tempfile::tempdir().unwrap();
        // It wants the files that a service names to be there.
        for file in [".env.app", "first.env", "second.env"] {
            fs::write(folder.path().join(file), "").unwrap();
        }
        fs::copy(&path, folder.path().join("compose.yaml")).unwrap();
        let config =
            Command::new("docker-compose").args(["-f", "compose.yaml", "config", "-q"]).current_dir(folder.path()).output().unwrap();
        if config.status.success() {
            taken += 1;
            let refused = import_file(&path).err();
            // Compose takes a file without services, to put it over another; a goal of nothing is none.
            if let Some(found) = refused.filter(|_| !["no_services", "services_missing"].contains(&name(&path).as_str())) {
                panic!("{} is refused:\n{}", path.display(), report::render(&found, Format::Human, false));
            }
        }
    }
    assert!(taken >= 3, "docker-compose takes only {taken}");
}

/// The tables of what becomes of each key.
const TABLES: [keys::Table; 15] = [
    keys::TOP,
    keys::SERVICE,
    keys::BUILD,
    keys::DEPLOY,
    keys::RESOURCES,
    keys::LIMITS,
    keys::RESTART_POLICY,
    keys::HEALTHCHECK,
    keys::PORT,
    keys::MOUNT,
    keys::ATTACHMENT,
    keys::NETWORK,
    keys::VOLUME,
    keys::STORED,
    keys::GRANT,
];

#[test]
fn every_key_of_the_specification_has_a_fate_and_no_other() {
    let known: BTreeSet<&str> = SERVICE_KEYS.split_whitespace().collect();
    let ours: Vec<&str> = keys::SERVICE.iter().map(|(key, _)| *key).collect();
    assert_eq!(ours, known.into_iter().collect::<Vec<_>>(), "the table is sorted, and has each key once");
    for table in TABLES {
        assert!(table.is_sorted_by_key(|(key, _)| *key), "{table:?}");
    }
}

#[test]
fn every_lost_key_of_a_service_is_listed_where_it_asks_for_something() {
    for (key, fate) in keys::SERVICE {
        let text = format!("services:\n  web:\n    image: a\n    {key}: {{ some: thing }}\n");
        let listed = |imported: &Imported| imported.findings.iter().any(|finding| finding.path == format!("services.web.{key}"));
        match (fate, import_text("c.yaml", &text, "p")) {
            (Fate::Lost(why, _), Ok(imported)) => {
                assert!(listed(&imported) && imported.diagnostics().iter().any(|found| found.message.contains(why)), "{key}");
            }
            (Fate::Implied(_), Ok(imported)) => assert!(!listed(&imported), "{key}"),
            // What is mapped is read, and may be wrong.
            (Fate::Mapped(_), _) => {}
            (fate, Err(found)) => panic!("{key} {fate:?}: {}", report::render(&found, Format::Human, false)),
        }
    }
}

#[test]
fn the_verb_writes_what_is_asked_for_and_replaces_nothing() {
    let dir = workspace(&[]);
    let put = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    put("compose.yaml", "name: site\nservices:\n  web: { image: nginx, ports: [\"8080:80\"] }\n");
    put("lossy.yaml", "services:\n  web: { image: nginx, labels: { a: b } }\n");
    put("none.yaml", "- a\n");

    let printed = sculpt(dir.path(), &["import", "compose.yaml"]);
    assert_eq!((printed.code, printed.err.as_str()), (0, ""));
    assert!(printed.out.starts_with("# yaml-language-server: $schema=../schemas/goal.v1.json\n"), "{}", printed.out);

    let written = sculpt(dir.path(), &["import", "compose.yaml", "--out", "goals/site.yaml", "--strict"]);
    assert_eq!((written.code, written.out.as_str(), written.err.as_str()), (0, "", ""));
    assert_eq!(fs::read_to_string(dir.path().join("goals/site.yaml")).unwrap(), printed.out);
    assert_eq!(sculpt(dir.path(), &["validate", "goals/site.yaml"]).code, 0);

    let again = sculpt(dir.path(), &["import", "lossy.yaml", "-o", "goals/site.yaml"]);
    assert_eq!(again.code, 2, "{}", again.err);
    assert_eq!(fs::read_to_string(dir.path().join("goals/site.yaml")).unwrap(), printed.out, "a file that is there stays");
    let strict = sculpt(dir.path(), &["import", "lossy.yaml", "-o", "goals/site.yaml", "--force", "--strict"]);
    assert_eq!((strict.code, strict.out.as_str()), (2, ""), "{}", strict.err);
    assert_eq!(fs::read_to_string(dir.path().join("goals/site.yaml")).unwrap(), printed.out, "`--strict` writes nothing");
    assert_eq!(sculpt(dir.path(), &["import", "lossy.yaml", "-o", "goals/site.yaml", "--force"]).code, 0);
    assert!(fs::read_to_string(dir.path().join("goals/site.yaml")).unwrap().contains("# - line 2, services.web.labels: "));

    let json = sculpt(dir.path(), &["--json", "import", "lossy.yaml"]).json();
    let entry = &json["not_mapped"][0];
    assert_eq!((&entry["path"], &entry["line"], &entry["col"]), (&"services.web.labels".into(), &2.into(), &24.into()));
    assert!(json["manifest"].as_str().unwrap().contains("\nphases:\n") && entry["why"].is_string());

    for (file, rule) in [("none.yaml", "not-a-compose-file"), ("gone.yaml", "unreadable-file")] {
        let refused = sculpt(dir.path(), &["import", file]);
        assert_eq!((refused.code, refused.out.as_str(), refused.err.contains(rule)), (2, "", true), "{}", refused.err);
    }
}

#[test]
fn paths_are_those_of_the_workspace_however_the_file_is_named() {
    let dir = workspace(&[]);
    fs::create_dir_all(dir.path().join(".opensculpt")).unwrap();
    fs::create_dir_all(dir.path().join("deploy/site")).unwrap();
    let text = "services:\n  web: { build: ., volumes: [\"./a:/a\", \"../../b:/b\"] }\n";
    fs::write(dir.path().join("deploy/site/compose.yaml"), text).unwrap();
    let inside = dir.path().join("deploy/site");
    for (folder, file) in [(dir.path(), "deploy/site/compose.yaml"), (&inside, "compose.yaml"), (&inside, "../site/compose.yaml")] {
        let said = sculpt(folder, &["import", file]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{file}");
        for part in ["build: deploy/site\n", "./deploy/site/a:/a", "./b:/b", "\nname: site\n"] {
            assert!(said.out.contains(part), "{part} is not in\n{}", said.out);
        }
    }
}
