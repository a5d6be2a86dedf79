//! The first page of help: the verbs in groups, short enough for one screen.

/// What `sculpt --help` shows.
pub const TEMPLATE: &str = "\
{name} {version}: {about}
{usage-heading} sculpt [-C DIR] [--json] [COMMAND]     without a command: show the workspace

Write a goal
  init         scaffold a workspace
  import       make a goal of a Compose file
  validate     check manifests offline
  schema       print the schema of manifests
  plan         show what a run would do
  rehearse     play it in a simulated world

Carry it out
  run          carry out a goal
  retry        go on from a run that has ended
  answer       answer what a goal asks
  stop         stop a run, and end what it started
  resume       go on with a run that is not over, and watch it
  down         take a goal down: end what of it lives
  adopt        give what is suspected to its goal
  gc           end what nobody wants: leftovers, leaks

Look
  status       how the goals stand
  ps           what lives, and whose it is
  top          what it uses, and what was used
  logs         what was said
  why          why it is so
  runs         what was run
  verify       ask the checks again, now
  audit        whether the journal is as it was written
  completions  for your shell

Stand by
  supervise    the engine in the foreground
  service      a unit for systemd

Options
{options}{after-help}";

/// What stands below it.
pub const AFTER: &str = "`sculpt COMMAND --help` tells more. Places are written goal/phase/resource.";
