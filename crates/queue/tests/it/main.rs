//! The manager and the commands on a real Redis of the test's own.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod admin_schedules;
#[cfg(test)]
mod bulk;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod denied;
#[cfg(test)]
mod enqueue;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http;
#[cfg(test)]
mod manager;
#[cfg(test)]
mod process;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod schedule_commands;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod watch;
