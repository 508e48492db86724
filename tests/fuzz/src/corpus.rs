//! The inputs that mutations begin with: `corpus/<target>/*`, and what once was found to fail.

use std::{fs, io, path::PathBuf};

/// The folder of a target's inputs.
pub fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// The inputs of a target in the order of their names.
///
/// # Errors
/// Where there are none.
pub fn read(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = folder(target);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let entries = fs::read_dir(&folder).map_err(named)?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    if files.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is empty", folder.display())));
    }
    files.iter().map(fs::read).collect()
}

/// Keeps an input that a target failed on, and gives the file's path.
///
/// # Errors
/// As writing a file has.
pub fn keep(target: &str, input: &[u8]) -> io::Result<PathBuf> {
    let name = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a: a name, no more
    });
    let path = folder(target).join(format!("failed-{name:016x}"));
    fs::write(&path, input)?;
    Ok(path)
}
