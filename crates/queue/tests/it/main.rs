//! The manager and the commands on a real Redis of the test's own.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod admin_schedules;
#[cfg(test)]
mod bulk;
#[cfg(test)]
mod changed;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod denied;
#[cfg(test)]
mod enqueue;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http;
#[cfg(test)]
mod manager;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod process;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod schedule_commands;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod top;
#[cfg(test)]
mod watch;
