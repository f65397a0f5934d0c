//! On how many threads a process does its work.

use std::{future::Future, io, num::NonZeroUsize};

use tokio::runtime::Builder;

/// Runs a process to its end on so many threads; none means as many as there are processors.
///
/// What blocks, and what must not be held up, has threads of its own beside them.
///
/// # Errors
/// If the system gives no threads or no poll.
pub fn block_on<F: Future>(threads: Option<NonZeroUsize>, process: F) -> io::Result<F::Output> {
    let mut builder = match threads {
        // Who is alone wakes nobody: see docs/adr/0030-one-thread.md.
        Some(NonZeroUsize::MIN) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if let Some(threads) = threads {
        builder.worker_threads(threads.get());
    }
    Ok(builder.enable_all().build()?.block_on(process))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::block_on;

    #[test]
    fn a_process_has_as_many_threads_as_it_is_given() {
        let workers = |threads| {
            let count = async { tokio::runtime::Handle::current().metrics().num_workers() };
            block_on(NonZeroUsize::new(threads), count).unwrap()
        };
        assert_eq!((workers(1), workers(3)), (1, 3));
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!(workers(0), cores);
    }
}
