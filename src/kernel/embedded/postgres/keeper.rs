//! Keeps one child process: a thread that started it, waits for it, and lives exactly as long.

use std::io;
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::sync::watch;

/// After the polite signal: to an immediate stop, and then to none that could be refused.
const HARDER: [Signal; 2] = [Signal::SIGQUIT, Signal::SIGKILL];
const HARDER_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Keeper {
    pid: Pid,
    stop: Signal,
    /// True once the process is reaped, from when on its number may be anybody's.
    reaped: Arc<Mutex<bool>>,
    ended: watch::Receiver<bool>,
}

impl Keeper {
    /// `stop` is what the process gets when we end it.
    pub fn spawn(mut command: Command, stop: Signal) -> io::Result<Self> {
        let us = std::process::id();
        // A group of its own: Ctrl-C at the terminal is for us, and we end the child in our own order.
        command.process_group(0);
        // SAFETY: between fork and exec only prctl(2) and getppid(2) run, both async-signal-safe; nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                // The child goes when we die, however we die. It is told when the *thread* that started it ends
                // (prctl(2)), which is why that thread stays.
                set_pdeathsig(Signal::SIGINT)?;
                // We may have died before that call.
                if parent_id() == us { Ok(()) } else { Err(Errno::ESRCH.into()) }
            });
        }
        let (end, ended) = watch::channel(false);
        let (told, hears) = mpsc::sync_channel(1);
        let reaped = Arc::new(Mutex::new(false));
        let keeps = reaped.clone();
        std::thread::Builder::new().name("postgres-keeper".to_owned()).spawn(move || match command.spawn() {
            Ok(child) => {
                // A pid_t in the first place.
                let pid = Pid::from_raw(child.id().cast_signed());
                // Nobody hears when the start was given up; the child is reaped all the same.
                let _ = told.send(Ok(pid));
                keep(child, pid, &keeps);
                end.send_replace(true);
            }
            Err(error) => {
                let _ = told.send(Err(error));
            }
        })?;
        let pid = hears.recv().map_err(io::Error::other)??;
        Ok(Self { pid, stop, reaped, ended })
    }

    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    pub async fn ended(&self) {
        // An error means that the thread is gone, and the child with it.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Stops the process; after `patience` less and less politely.
    pub async fn end(&self, patience: Duration) {
        self.signal(self.stop);
        for harder in HARDER {
            let patience = if harder == HARDER[0] { patience } else { HARDER_MAX };
            if tokio::time::timeout(patience, self.ended()).await.is_ok() {
                return;
            }
            self.signal(harder);
        }
        self.ended().await;
    }

    fn signal(&self, signal: Signal) {
        if !*lock(&self.reaped) {
            // The only failure left is that it is dying already.
            let _ = kill(self.pid, signal);
        }
    }
}

impl Drop for Keeper {
    /// For a caller that did not end it: no server outlives its handle.
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        self.signal(self.stop);
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < HARDER_MAX {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !self.has_ended() {
            self.signal(Signal::SIGQUIT);
        }
    }
}

fn keep(mut child: Child, pid: Pid, reaped: &Mutex<bool>) {
    // Waits without reaping, so that the number stays ours until nobody can signal it any more.
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let mut reaped = lock(reaped);
    // Fails only for a child that is reaped already.
    let _ = child.wait();
    *reaped = true;
}

fn lock(reaped: &Mutex<bool>) -> MutexGuard<'_, bool> {
    reaped.lock().unwrap_or_else(PoisonError::into_inner)
}
