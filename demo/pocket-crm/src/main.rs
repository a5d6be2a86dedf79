//! `pocket-crm init`, `serve` and `seed`.

use std::{error::Error, net::Ipv4Addr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use pocket_crm::{
    api::App,
    auth::Credential,
    seed::{self, Seeded},
    server,
    store::{self, Store},
};

/// Where the administrator's password comes from: not from the command line, which every user of the machine can read.
const PASSWORD_VARIABLE: &str = "CRM_PASSWORD";

/// A small CRM: leads over HTTP, kept on disk.
#[derive(Debug, Parser)]
#[command(name = "pocket-crm", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create the store; an existing one is left as it is
    Init {
        /// Directory of the store
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Serve the API until SIGTERM; `CRM_PASSWORD` is the administrator's password
    Serve {
        /// Address to listen on; in a container 0.0.0.0, since what reaches it there comes from outside of it
        #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
        host: Ipv4Addr,
        /// Port to listen on; 0 lets the system choose
        #[arg(long, default_value_t = 8081)]
        port: u16,
        /// Directory of the store
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Seconds without an update after which an open lead is stale
        #[arg(long, value_name = "SECONDS", default_value_t = 7 * 24 * 60 * 60)]
        stale_after: u64,
    },
    /// Create the leads of a CSV file through the API; those already there are left as they are
    Seed {
        /// The CRM's address
        #[arg(long, default_value = "http://127.0.0.1:8081")]
        url: String,
        /// File with a header line (name,email,company,status)
        #[arg(long, value_name = "FILE")]
        csv: PathBuf,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("failed to read the administrator's password from {PASSWORD_VARIABLE}")]
struct NoPassword(#[source] std::env::VarError);

#[tokio::main]
async fn main() -> ExitCode {
    match carry_out(Arguments::parse().verb).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pocket-crm: {}", in_full(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn carry_out(verb: Verb) -> Result<(), Box<dyn Error>> {
    match verb {
        Verb::Init { data } => {
            Store::create(&data)?;
            println!("{} is ready", data.join(store::FILE_NAME).display());
        }
        Verb::Serve { host, port, data, stale_after } => {
            let app = App { admin: admin()?, store: Store::open(&data)?, stale_after: Duration::from_secs(stale_after) };
            let listener = server::listen(host, port).await?;
            eprintln!("pocket-crm listens on http://{}", listener.local_addr()?);
            server::serve(listener, app).await?;
        }
        Verb::Seed { url, csv } => {
            let Seeded { created, present } = seed::seed(&url, csv, &admin()?).await?;
            println!("{created} created, {present} already there");
        }
    }
    Ok(())
}

fn admin() -> Result<Credential, Box<dyn Error>> {
    Ok(Credential::new(&std::env::var(PASSWORD_VARIABLE).map_err(NoPassword)?)?)
}

/// The error and its causes in one line.
fn in_full(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
