//! Leads on disk: one file, one durable transaction a change.
//!
//! Every commit is flushed to the disk before it returns (redb's default, `Durability::Immediate`), so what the API has
//! confirmed is there after SIGKILL and after a power cut. The file has one owner at a time: redb holds a lock on it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use crate::lead::{Change, Draft, InvalidField, Lead, Status, email_key};

/// The store's file in its data directory.
pub const FILE_NAME: &str = "crm.db";

/// Lead id → the lead as JSON.
const LEADS: TableDefinition<u64, &[u8]> = TableDefinition::new("leads");
/// Lower-case email → lead id: what makes an address unique.
const EMAILS: TableDefinition<&str, u64> = TableDefinition::new("emails");
/// Counter's name → the last value given.
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
const LAST_ID: &str = "last_id";

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store where one was expected.
    #[error("failed to open {}: there is no store; create it with `pocket-crm init --data {}`", .0.join(FILE_NAME).display(), .0.display())]
    Missing(PathBuf),
    /// Another process has the store open.
    #[error("failed to open {}: another process has it open", .0.display())]
    Busy(PathBuf),
    /// The data directory could not be made or flushed.
    #[error("failed to prepare the data directory {}", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// The disk or the file's contents failed.
    #[error("failed to read or write the store")]
    Disk(#[source] Box<redb::Error>),
    /// A kept lead is not the JSON that was written.
    #[error("failed to read lead {0}: its record is damaged")]
    Damaged(u64, #[source] serde_json::Error),
    /// A lead could not be written as JSON.
    #[error("failed to write lead {0}")]
    Unwritable(u64, #[source] serde_json::Error),
    /// No lead has this id.
    #[error("there is no lead {0}")]
    NoLead(u64),
    /// The address belongs to another lead.
    #[error("{email} belongs to lead {id}")]
    EmailTaken {
        /// The address as it was asked for.
        email: String,
        /// The lead that has it.
        id: u64,
    },
    /// A field cannot be kept.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
}

/// redb has an error type for each step; here they are all one thing, the disk.
macro_rules! disk_errors {
    ($($kind:ident),*) => {$(
        impl From<redb::$kind> for StoreError {
            fn from(error: redb::$kind) -> Self {
                Self::Disk(Box::new(error.into()))
            }
        }
    )*};
}
disk_errors!(TransactionError, TableError, StorageError, CommitError);

/// Which leads a list holds.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Only leads of this status.
    pub status: Option<Status>,
    /// Only open leads that nobody has changed since then.
    pub untouched_since: Option<Timestamp>,
    /// How many matching leads to leave out, oldest first.
    pub offset: usize,
    /// How many to return at most.
    pub limit: usize,
}

/// One page of leads, oldest first, and how many matched in all.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// How many leads match, on this page or not.
    pub total: usize,
    /// The leads of this page.
    pub list: Vec<Lead>,
}

/// The open store.
#[derive(Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Creates the store in `data` (and `data` itself); an existing one is left as it is.
    pub fn create(data: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::Directory(data.to_owned(), error);
        fs::create_dir_all(data).map_err(failed)?;
        let file = data.join(FILE_NAME);
        let store = Self { database: Database::create(&file).map_err(|error| opening(&file, error))? };
        let transaction = store.database.begin_write()?;
        transaction.open_table(LEADS)?;
        transaction.open_table(EMAILS)?;
        transaction.open_table(COUNTERS)?;
        transaction.commit()?;
        // The file's name is in the directory: without this a power cut could take the file and leave its contents.
        File::open(data).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(store)
    }

    /// Opens the store that `create` made in `data`.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let file = data.join(FILE_NAME);
        if !file.exists() {
            return Err(StoreError::Missing(data.to_owned()));
        }
        Ok(Self { database: Database::open(&file).map_err(|error| opening(&file, error))? })
    }

    /// How many leads there are.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self.database.begin_read()?.open_table(LEADS)?.len()?)
    }

    /// The leads that match, oldest first.
    pub fn list(&self, filter: Filter) -> Result<Page, StoreError> {
        let leads = self.database.begin_read()?.open_table(LEADS)?;
        let mut page = Page { total: 0, list: Vec::new() };
        for entry in leads.iter()? {
            let (id, record) = entry?;
            let lead = decode(id.value(), record.value())?;
            if filter.matches(&lead) {
                if page.total >= filter.offset && page.list.len() < filter.limit {
                    page.list.push(lead);
                }
                page.total += 1;
            }
        }
        Ok(page)
    }

    /// The lead with this id.
    pub fn get(&self, id: u64) -> Result<Lead, StoreError> {
        find(&self.database.begin_read()?.open_table(LEADS)?, id)
    }

    /// Keeps a new lead; on the disk when this returns.
    pub fn insert(&self, draft: Draft, now: Timestamp) -> Result<Lead, StoreError> {
        let Draft { name, email, company, status } = draft.checked()?;
        let transaction = self.database.begin_write()?;
        let lead = {
            let mut emails = transaction.open_table(EMAILS)?;
            refuse_taken(&emails, &email, None)?;
            let mut counters = transaction.open_table(COUNTERS)?;
            let id = counters.get(LAST_ID)?.map_or(0, |last| last.value()) + 1;
            counters.insert(LAST_ID, id)?;
            emails.insert(email_key(&email).as_str(), id)?;
            let lead = Lead { id, name, email, company, status, created_at: now, updated_at: now };
            transaction.open_table(LEADS)?.insert(id, encode(&lead)?.as_slice())?;
            lead
        };
        transaction.commit()?;
        Ok(lead)
    }

    /// Changes a lead; on the disk when this returns.
    pub fn update(&self, id: u64, change: Change, now: Timestamp) -> Result<Lead, StoreError> {
        let transaction = self.database.begin_write()?;
        let lead = {
            let mut leads = transaction.open_table(LEADS)?;
            let before = find(&leads, id)?;
            let lead = change.applied_to(&before, now)?;
            let mut emails = transaction.open_table(EMAILS)?;
            refuse_taken(&emails, &lead.email, Some(id))?;
            emails.remove(email_key(&before.email).as_str())?;
            emails.insert(email_key(&lead.email).as_str(), id)?;
            leads.insert(id, encode(&lead)?.as_slice())?;
            lead
        };
        transaction.commit()?;
        Ok(lead)
    }

    /// Removes a lead for good; its id is not given again.
    pub fn remove(&self, id: u64) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        {
            let mut leads = transaction.open_table(LEADS)?;
            let lead = find(&leads, id)?;
            leads.remove(id)?;
            transaction.open_table(EMAILS)?.remove(email_key(&lead.email).as_str())?;
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Filter {
    fn matches(&self, lead: &Lead) -> bool {
        self.status.is_none_or(|status| lead.status == status)
            && self.untouched_since.is_none_or(|since| lead.status.is_open() && lead.updated_at < since)
    }
}

fn opening(file: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Busy(file.to_owned()),
        other => StoreError::Disk(Box::new(other.into())),
    }
}

fn find(leads: &impl ReadableTable<u64, &'static [u8]>, id: u64) -> Result<Lead, StoreError> {
    let record = leads.get(id)?.ok_or(StoreError::NoLead(id))?;
    decode(id, record.value())
}

fn refuse_taken(emails: &impl ReadableTable<&'static str, u64>, email: &str, except: Option<u64>) -> Result<(), StoreError> {
    match emails.get(email_key(email).as_str())?.map(|owner| owner.value()) {
        Some(id) if Some(id) != except => Err(StoreError::EmailTaken { email: email.to_owned(), id }),
        _ => Ok(()),
    }
}

fn encode(lead: &Lead) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(lead).map_err(|error| StoreError::Unwritable(lead.id, error))
}

fn decode(id: u64, record: &[u8]) -> Result<Lead, StoreError> {
    serde_json::from_slice(record).map_err(|error| StoreError::Damaged(id, error))
}
