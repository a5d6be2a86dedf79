//! A build context as a tar archive: sorted, owned by root, without what `.dockerignore` leaves out.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::error::DockerError;
use super::ignore::Ignore;

/// What a build is made from.
pub(super) struct Context {
    root: PathBuf,
    dockerfile: PathBuf,
    ignore: Ignore,
}

impl Context {
    /// A context and its `.dockerignore` (`NAME.dockerignore` beside the Dockerfile goes first, as in Docker).
    pub(super) fn open(root: &Path, dockerfile: &str) -> Result<Self, DockerError> {
        let own = format!("{dockerfile}.dockerignore");
        let mut ignore = Ignore::default();
        for name in [own.as_str(), ".dockerignore"] {
            match fs::read_to_string(root.join(name)) {
                Ok(text) => {
                    ignore = Ignore::read(&text)?;
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(DockerError::File { doing: "read", path: root.join(name), source }),
            }
        }
        let dockerfile: PathBuf = Path::new(dockerfile).components().filter(|part| *part != std::path::Component::CurDir).collect();
        Ok(Self { root: root.to_owned(), dockerfile, ignore })
    }

    /// Writes the archive. Sockets, pipes and devices are left out, as nothing could be made of them.
    pub(super) fn write(&self, to: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(to);
        self.folder(&mut archive, Path::new(""))?;
        archive.into_inner()?.flush()
    }

    fn folder(&self, archive: &mut tar::Builder<impl Write>, folder: &Path) -> io::Result<()> {
        let mut names = fs::read_dir(self.root.join(folder))?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            let path = folder.join(name);
            let data = fs::symlink_metadata(self.root.join(&path))?;
            // The builder reads both out of the context, and drops what the second leaves out itself: they are sent whatever is said.
            let wanted = !self.ignore.ignores(&path) || path == self.dockerfile || path == Path::new(".dockerignore");
            if data.is_dir() {
                if wanted {
                    archive.append_data(&mut header(&data, tar::EntryType::Directory, 0), &path, io::empty())?;
                }
                if wanted || self.ignore.has_exceptions() || self.dockerfile.starts_with(&path) {
                    self.folder(archive, &path)?;
                }
            } else if wanted {
                self.file(archive, &path, &data)?;
            }
        }
        Ok(())
    }

    fn file(&self, archive: &mut tar::Builder<impl Write>, path: &Path, data: &Metadata) -> io::Result<()> {
        let there = self.root.join(path);
        if data.is_symlink() {
            return archive.append_link(&mut header(data, tar::EntryType::Symlink, 0), path, fs::read_link(there)?);
        }
        if !data.is_file() {
            return Ok(());
        }
        let file = fs::File::open(there)?;
        let size = data.len();
        // A file that grows meanwhile must not break the archive; one that shrinks does, and is said.
        let mut content = io::Read::take(&file, size);
        let mut counted = Counted { from: &mut content, left: size };
        archive.append_data(&mut header(data, tar::EntryType::Regular, size), path, &mut counted)?;
        if counted.left > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} became shorter meanwhile", path.display())));
        }
        Ok(())
    }
}

/// Counts what is read.
struct Counted<'r, R> {
    from: &'r mut R,
    left: u64,
}

impl<R: io::Read> io::Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

fn header(data: &Metadata, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(data.permissions().mode() & 0o7777);
    header.set_mtime(data.mtime().try_into().unwrap_or_default());
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make the files that they look at")]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_left_out_and_the_dockerfile_never_is() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [("a", "1"), ("secret/key", "2"), ("secret/public", "3"), ("Dockerfile", "FROM scratch")] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(dir.path().join(".dockerignore"), "secret\n!secret/public\nDockerfile\n").unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        let mut archive = Vec::new();
        Context::open(dir.path(), "./Dockerfile").unwrap().write(&mut archive).unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let names: Vec<String> = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, [".dockerignore", "Dockerfile", "a", "link", "secret/public"]);
    }
}
