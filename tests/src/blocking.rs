//! Asynchronous work in tests of any kind.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

/// Runs a future to its end on a thread of its own, so that it works inside and outside of a runtime.
pub(crate) fn wait_for<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let run = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(future)
    };
    match std::thread::spawn(run).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
