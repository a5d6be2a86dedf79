//! `sculpt schema`: the schema of this very program, for editors and other validators.

use clap::{Args, ValueEnum};

use crate::interface::failure::Failure;
use crate::interface::terminal::show;
use crate::manifest::schema;

/// Prints the JSON Schema of manifests, or of the configuration.
#[derive(Debug, Args)]
pub struct Schema {
    /// Of what
    #[arg(value_enum, default_value_t = Of::Goal)]
    of: Of,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// A goal's manifest
    Goal,
    /// The configuration of a workspace, `.opensculpt/config.yaml`
    Config,
}

impl Schema {
    pub(super) fn carry_out(self) -> Result<u8, Failure> {
        let schema = match self.of {
            Of::Goal => schema::goal(),
            Of::Config => schema::config(),
        };
        show(&schema::text(schema))?;
        Ok(0)
    }
}
