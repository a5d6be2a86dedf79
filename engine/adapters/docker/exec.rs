//! A command inside a container, to look how it is.

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::StreamExt as _;

use super::error::{DockerError, unless_missing};
use super::fleet::Fleet;

/// How much of a command's output is kept, in bytes: the end of it.
pub const OUTPUT: usize = 64 * 1024;

/// What a command inside said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its exit code: 126 and 127 where it could not be started.
    pub code: i64,
    /// The last [`OUTPUT`] bytes of what it wrote to stdout and stderr, in the order in which they came.
    pub output: Vec<u8>,
}

impl Fleet {
    /// Runs a command inside a running container, with variables beside the container's own.
    ///
    /// It has no deadline of its own. Where the caller gives up, the command goes on inside: the container engine has no way to end it
    /// but with its container. Before it begins `begins` is told its id, by which [`Self::exec_runs`] finds it.
    ///
    /// # Errors
    /// Where the container is not this workspace's, is not there, or does not run.
    pub async fn exec(
        &self,
        id: &str,
        command: &[String],
        env: &[(String, String)],
        begins: impl FnOnce(&str),
    ) -> Result<Executed, DockerError> {
        const DOING: &str = "run a command in a container";
        self.must_own(DOING, id).await?;
        let client = &self.engine.client;
        let config = ExecConfig {
            cmd: Some(command.to_vec()),
            env: Some(env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let exec = client.create_exec(id, config).await.map_err(DockerError::of(DOING))?.id;
        begins(&exec);
        let mut output = Vec::new();
        if let StartExecResults::Attached { output: mut said, .. } = client.start_exec(&exec, None).await.map_err(DockerError::of(DOING))? {
            while let Some(piece) = said.next().await {
                output.extend_from_slice(&piece.map_err(DockerError::of(DOING))?.into_bytes());
                // Twice as much before it is cut, so that a chatty command is not copied for each piece.
                if output.len() > 2 * OUTPUT {
                    output.drain(..output.len() - OUTPUT);
                }
            }
        }
        output.drain(..output.len().saturating_sub(OUTPUT));
        let seen = client.inspect_exec(&exec).await.map_err(DockerError::of(DOING))?;
        match seen.exit_code {
            Some(code) if seen.running != Some(true) => Ok(Executed { code, output }),
            _ => Err(DockerError::Answer { doing: DOING, lacking: "its exit code" }),
        }
    }
}

impl Fleet {
    /// The process of a command inside that still runs, as the container engine's host numbers it; none where it has ended, or is not known
    /// any more.
    ///
    /// # Errors
    /// Where the container engine does not tell.
    pub async fn exec_runs(&self, exec: &str) -> Result<Option<u32>, DockerError> {
        let seen = unless_missing("look at a command in a container", self.engine.client.inspect_exec(exec).await)?;
        let runs = seen.filter(|seen| seen.running == Some(true));
        Ok(runs.map(|seen| seen.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default()))
    }
}
