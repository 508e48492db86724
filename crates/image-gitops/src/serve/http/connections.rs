//! Connections: how many there are, and how long one may take to say what it wants.
//!
//! Who sends slowly, or nothing, or never reads the answer, holds a connection for a bounded time; and where all are held, the
//! next one waits until one of them is over.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

/// How many connections there are at a time. Of the 1024 files that a process may open as a rule, passes need the others.
const MOST: u32 = 512;
/// The time from the beginning of a connection, or from the answer before, to the end of a request's head.
const HEAD: Duration = Duration::from_secs(5);
/// The most bytes of a request's head.
const HEAD_BYTES: usize = 32 << 10;
/// How long a connection is used for one request after the other.
const LIFE: Duration = Duration::from_secs(60);
/// What the last request on a connection may take.
const LAST: Duration = Duration::from_secs(10);
/// The pause after a connection that could not be taken: there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `routes` until `ended`, and then until the requests that are under way are answered.
pub(super) async fn serve(listener: TcpListener, routes: Router, ended: impl Future<Output = ()>) {
    let turns = Arc::new(Semaphore::new(MOST as usize));
    let (stop, stopping) = watch::channel(false);
    let mut ended = pin!(ended);
    loop {
        let next = async {
            let turn = turns.clone().acquire_owned().await;
            (listener.accept().await, turn)
        };
        let (accepted, turn) = tokio::select! {
            () = &mut ended => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (routes, stopping) = (routes.clone(), stopping.clone());
                tokio::spawn(async move {
                    let _turn = turn;
                    one(stream, routes, stopping).await;
                });
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a connection could not be taken");
                sleep(PAUSE).await;
            }
        }
    }
    stop.send_replace(true);
    let _ = timeout(LAST, turns.acquire_many(MOST)).await;
}

/// Serves one connection.
async fn one(stream: TcpStream, routes: Router, mut stopping: watch::Receiver<bool>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return, // an error is the client's, and told to it where it can be
        () = sleep(LIFE) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST, connection).await;
}
