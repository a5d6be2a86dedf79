//! The tables of a page that are marked with what they describe.

use super::Page;

/// A row: the name in its first cell, and all of it.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) text: String,
}

/// A table below `<!-- MARK: WHAT WHAT -->`.
pub(super) struct Table {
    pub(super) of: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// The tables of a page with this mark.
pub(super) fn tables(page: &Page, mark: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        let Some(of) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")?.strip_prefix(mark)) else { continue };
        let rows = lines.by_ref().take_while(|line| line.starts_with('|')).skip(2).map(|line| {
            let name = line.split('`').nth(1).unwrap_or_else(|| panic!("no name in {line}")).to_owned();
            Row { name, text: line.to_owned() }
        });
        let rows: Vec<Row> = rows.collect();
        assert!(!rows.is_empty(), "no table below {line}");
        tables.push(Table { of: of.trim_start_matches(':').split_whitespace().map(str::to_owned).collect(), rows });
    }
    assert!(!tables.is_empty(), "{} has no table of `{mark}`", page.path.display());
    tables
}
