//! A line that says what is waited for, on a terminal only, and only where the wait is long enough to wonder.

use std::{
    future::Future,
    io::{self, IsTerminal as _, Write as _},
    pin::pin,
    time::{Duration, Instant},
};

use tokio::time::interval;

/// A wait shorter than this is not worth a flicker.
const PATIENCE: Duration = Duration::from_millis(400);

/// Waits for `work`. Meanwhile a terminal shows `what` and the seconds on one line of standard error, which is wiped
/// before this returns.
pub(crate) async fn while_waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let start = Instant::now();
    let (mut work, mut ticks, mut shown) = (pin!(work), interval(PATIENCE), false);
    loop {
        tokio::select! {
            done = &mut work => {
                if shown {
                    show("");
                }
                return done;
            }
            _ = ticks.tick() => {
                if start.elapsed() >= PATIENCE {
                    show(&format!("{what} ({} s)", start.elapsed().as_secs()));
                    shown = true;
                }
            }
        }
    }
}

/// Replaces the terminal's current line. A terminal that is gone has nobody to show anything to.
fn show(line: &str) {
    let _ = write!(io::stderr().lock(), "\r\x1b[2K{line}").and_then(|()| io::stderr().flush());
}
