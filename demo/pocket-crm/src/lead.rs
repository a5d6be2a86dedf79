//! What a lead is, and which one is refused.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest name or company, in characters.
const MAX_TEXT: usize = 200;
/// Longest email address, in bytes (RFC 5321).
const MAX_EMAIL: usize = 254;

/// How far the conversation with a lead has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody has talked to them yet.
    #[default]
    New,
    /// Somebody has.
    Contacted,
    /// They may buy.
    Qualified,
    /// They bought: closed.
    Won,
    /// They will not: closed.
    Lost,
}

impl Status {
    /// A closed lead waits for nobody, so it never becomes stale.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Won | Self::Lost)
    }
}

/// A lead as it is kept and as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Given by the store, never given twice.
    pub id: u64,
    /// The person's name.
    pub name: String,
    /// Unique, whatever its case.
    pub email: String,
    /// Where they work; may be empty.
    #[serde(default)]
    pub company: String,
    /// How far the conversation has come.
    pub status: Status,
    /// When the lead was created.
    pub created_at: Timestamp,
    /// When the lead was last changed.
    pub updated_at: Timestamp,
}

/// The fields a caller gives for a new lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The person's name.
    pub name: String,
    /// Their address, unique in the store.
    pub email: String,
    /// Where they work.
    #[serde(default)]
    pub company: String,
    /// `new` if it is not said.
    #[serde(default)]
    pub status: Status,
}

/// The fields a caller wants changed; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// A new name.
    pub name: Option<String>,
    /// A new address, unique in the store.
    pub email: Option<String>,
    /// A new company.
    pub company: Option<String>,
    /// A new status.
    pub status: Option<Status>,
}

/// Why a field was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidField {
    /// The field's name in the JSON.
    pub field: &'static str,
    /// The rest of the sentence that the field's name begins.
    pub reason: &'static str,
}

impl Draft {
    /// The same draft with outer white space removed, or the first field that cannot be kept.
    pub fn checked(self) -> Result<Self, InvalidField> {
        let draft = Self { name: trimmed(&self.name), email: trimmed(&self.email), company: trimmed(&self.company), status: self.status };
        check_name(&draft.name)?;
        check_email(&draft.email)?;
        check_company(&draft.company)?;
        Ok(draft)
    }
}

impl Change {
    /// The lead after this change, or the first field that cannot be kept.
    pub fn applied_to(self, lead: &Lead, now: Timestamp) -> Result<Lead, InvalidField> {
        let draft = Draft {
            name: self.name.unwrap_or_else(|| lead.name.clone()),
            email: self.email.unwrap_or_else(|| lead.email.clone()),
            company: self.company.unwrap_or_else(|| lead.company.clone()),
            status: self.status.unwrap_or(lead.status),
        };
        let Draft { name, email, company, status } = draft.checked()?;
        Ok(Lead { id: lead.id, name, email, company, status, created_at: lead.created_at, updated_at: now })
    }
}

/// The key under which an address is unique.
pub fn email_key(email: &str) -> String {
    email.to_lowercase()
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

fn check_name(name: &str) -> Result<(), InvalidField> {
    let refuse = |reason| Err(InvalidField { field: "name", reason });
    if name.is_empty() {
        return refuse("must not be empty");
    }
    if name.chars().count() > MAX_TEXT {
        return refuse("is longer than 200 characters");
    }
    if name.contains(char::is_control) {
        return refuse("contains a control character");
    }
    Ok(())
}

fn check_company(company: &str) -> Result<(), InvalidField> {
    let refuse = |reason| Err(InvalidField { field: "company", reason });
    if company.chars().count() > MAX_TEXT {
        return refuse("is longer than 200 characters");
    }
    if company.contains(char::is_control) {
        return refuse("contains a control character");
    }
    Ok(())
}

/// Only what certainly is no address is refused: whether mail arrives, only mail can tell.
fn check_email(email: &str) -> Result<(), InvalidField> {
    let refuse = |reason| Err(InvalidField { field: "email", reason });
    if email.len() > MAX_EMAIL {
        return refuse("is longer than 254 bytes");
    }
    if email.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return refuse("contains white space");
    }
    match email.split_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() && !domain.contains('@') => Ok(()),
        _ => refuse("must look like name@host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str, email: &str) -> Draft {
        Draft { name: name.into(), email: email.into(), company: String::new(), status: Status::New }
    }

    #[test]
    fn refuses_what_cannot_be_a_lead_and_names_the_field() {
        for (name, email, field) in [
            ("", "a@b", "name"),
            ("   ", "a@b", "name"),
            ("a\nb", "a@b", "name"),
            (&"x".repeat(201) as &str, "a@b", "name"),
            ("Ada", "", "email"),
            ("Ada", "ada", "email"),
            ("Ada", "@b", "email"),
            ("Ada", "a@", "email"),
            ("Ada", "a@b@c", "email"),
            ("Ada", "a b@c", "email"),
            ("Ada", &format!("{}@b", "a".repeat(254)), "email"),
        ] {
            assert_eq!(draft(name, email).checked().unwrap_err().field, field, "{name:?} {email:?}");
        }
    }

    #[test]
    fn keeps_a_lead_without_its_outer_white_space() {
        assert_eq!(draft(" Ada ", " ada@example.org\t").checked().unwrap(), draft("Ada", "ada@example.org"));
        assert!(draft(&"ü".repeat(200), "ada@example.org").checked().is_ok(), "the bound counts characters, not bytes");
    }

    #[test]
    fn only_open_leads_wait() {
        let open = [Status::New, Status::Contacted, Status::Qualified].map(Status::is_open);
        assert_eq!((open, [Status::Won, Status::Lost].map(Status::is_open)), ([true; 3], [false; 2]));
    }
}
