//! What a page links to is there: the file, and the heading in it.

use std::fs;

use regex::Regex;

use super::pages;

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |heading: &str| -> String {
        let kept = heading.to_lowercase();
        kept.chars()
            .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
            .map(|char| if char == ' ' { '-' } else { char })
            .collect()
    };
    headings.map(slug).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut count = 0;
    for page in pages() {
        for found in link.captures_iter(&page.text) {
            let target = &found[1];
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
            let path = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            assert!(path.exists(), "{}: {target} is not there", page.path.display());
            if let Some(anchor) = anchor {
                let there = anchors(&fs::read_to_string(&path).unwrap());
                assert!(there.iter().any(|name| name == anchor), "{}: {target} is not among {there:?}", page.path.display());
            }
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} links were found");
}
