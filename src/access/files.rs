//! Which files kubectl would read and write, and changes that may touch several of them.

use std::path::{Path, PathBuf};

use super::kubeconfig::{Context, Entry, Kubeconfig, KubeconfigError, Section};
use super::login::Login;
use super::replace::{Incoming, Lock, read};

/// The files that make up kubectl's configuration, in the order in which they are read: of two things of one name the first counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    paths: Vec<PathBuf>,
}

/// Why the configuration of kubectl was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    #[error("no file for kubectl's configuration is known: neither KUBECONFIG nor HOME is set")]
    Nowhere,
    #[error("could not {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    /// Another program changes it, or was ended while it did.
    #[error("{} is locked by another program", path.display())]
    Locked { path: PathBuf, lock: PathBuf },
    #[error("{} cannot be used: {source}", path.display())]
    Content { path: PathBuf, source: KubeconfigError },
    #[error("{} has a context {name} of another cluster", path.display())]
    OtherCluster { path: PathBuf, name: String },
}

impl Files {
    /// One file, whatever the environment says.
    pub fn only(path: PathBuf) -> Self {
        Self { paths: vec![path] }
    }

    /// The files of `KUBECONFIG`, or else `~/.kube/config`, as kubectl finds them (client-go, `tools/clientcmd/pathoptions.go`).
    ///
    /// # Errors
    /// [`FilesError::Nowhere`]
    pub fn of_kubectl(kubeconfig: Option<&std::ffi::OsStr>, home: Option<&Path>) -> Result<Self, FilesError> {
        let listed = kubeconfig.map(std::env::split_paths).into_iter().flatten().filter(|path| !path.as_os_str().is_empty());
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in listed {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            paths.push(home.ok_or(FilesError::Nowhere)?.join(".kube/config"));
        }
        Ok(Self { paths })
    }

    /// The file that new things are written to: the first that there is; where there is none, the last.
    fn default_index(&self) -> usize {
        self.paths.iter().position(|path| path.exists()).unwrap_or(self.paths.len() - 1)
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// Those of the first one that cannot be read.
    pub fn read(&self) -> Result<Opened, FilesError> {
        let kubeconfig = |path: &PathBuf| {
            let Some(bytes) = read(path)? else { return Ok(File { path: path.clone(), before: None, now: None }) };
            let content = |source| FilesError::Content { path: path.clone(), source };
            let now = Kubeconfig::parse(&bytes).map_err(content)?;
            Ok(File { path: path.clone(), before: Some(bytes), now: Some(now) })
        };
        let files: Result<Vec<File>, FilesError> = self.paths.iter().map(kubeconfig).collect();
        Ok(Opened { files: files?, default: self.default_index() })
    }

    /// Changes them while no other program does, and returns what `work` does and the files that were changed. What is not changed is not
    /// written; and none is in its place before all new ones are written beside them, so that one that cannot be leaves all as they are.
    ///
    /// # Errors
    /// Those of reading and writing, and those of `work`.
    pub fn change<T>(&self, work: impl FnOnce(&mut Opened) -> Result<T, FilesError>) -> Result<(T, Vec<PathBuf>), FilesError> {
        // All that may be concerned, in one order, so that two programs never wait for each other; kubectl does the same.
        let mut sorted: Vec<&PathBuf> = self.paths.iter().collect();
        sorted.sort();
        let locks: Result<Vec<Lock>, FilesError> = sorted.into_iter().map(|path| Lock::take(path)).collect();
        let locks = locks?;
        let mut opened = self.read()?;
        let done = work(&mut opened)?;
        let changed = |file: &File| file.now.as_ref().is_some_and(|now| file.before.as_deref() != Some(now.as_str().as_bytes()));
        opened.files.retain(changed);
        let new: Result<Vec<Incoming<'_>>, FilesError> = opened.files.iter().map(File::incoming).collect();
        new?.into_iter().try_for_each(Incoming::put_in_place)?;
        drop(locks);
        Ok((done, opened.files.into_iter().map(|file| file.path).collect()))
    }
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// `None` where there is no such file.
    before: Option<Vec<u8>>,
    now: Option<Kubeconfig>,
}

/// The files as they were read, and as they shall be.
#[derive(Debug)]
pub struct Opened {
    files: Vec<File>,
    default: usize,
}

impl Opened {
    fn configs(&self) -> impl Iterator<Item = &Kubeconfig> {
        self.files.iter().filter_map(|file| file.now.as_ref())
    }

    pub fn has(&self, section: Section, name: &str) -> bool {
        self.configs().any(|config| config.has(section, name))
    }

    /// The one that kubectl uses when it is told none.
    pub fn current_context(&self) -> Option<&str> {
        self.configs().find_map(Kubeconfig::current_context)
    }

    /// Arguments of the program that a user's credentials come from.
    pub fn credential_arguments(&self, user: &str) -> Option<Vec<&str>> {
        self.configs().find(|config| config.has(Section::Users, user))?.credential_arguments(user)
    }

    /// Whether what is there under the name of a login may be written over: it trusts the same authority, or kclust wrote it for a cluster
    /// of the same name. Anything else, such as the certificate of an administrator that another program wrote, would be lost.
    ///
    /// # Errors
    /// [`FilesError::OtherCluster`]
    pub fn check_is_own(&self, login: &Login) -> Result<(), FilesError> {
        let name = login.name.as_str();
        let context = self.configs().flat_map(Kubeconfig::contexts).find(|context| context.name == name);
        let named = |choose: fn(&Context) -> Option<&String>| context.as_ref().and_then(choose).map_or(name, String::as_str);
        let (cluster, user) = (named(|context| context.cluster.as_ref()), named(|context| context.user.as_ref()));
        let authority = self.configs().find_map(|config| config.authority(cluster));
        let would_be_lost = authority.is_some() || self.has(Section::Users, user) || context.is_some();
        if !would_be_lost || authority.is_some_and(|authority| login.trusts(authority)) || self.is_own_user(user, &login.cluster)
        {
            return Ok(());
        }
        let is_there = |config: &Kubeconfig| Section::ALL.iter().any(|section| config.has(*section, name));
        let holder = self.files.iter().find(|file| file.now.as_ref().is_some_and(is_there));
        holder.map_or(Ok(()), |file| Err(FilesError::OtherCluster { path: file.path.clone(), name: name.to_owned() }))
    }

    /// Its credentials are made by kclust, for a cluster of this name.
    fn is_own_user(&self, user: &str, cluster: &str) -> bool {
        self.credential_arguments(user).is_some_and(|args| args.starts_with(&["credential", "--cluster", cluster]))
    }

    /// Variables that kclust is given where it makes the credentials of this login already.
    pub fn environment(&self, login: &Login) -> Vec<(String, String)> {
        let holder = self.configs().find(|config| config.has(Section::Users, &login.name));
        let holder = holder.filter(|_| self.is_own_user(&login.name, &login.cluster));
        holder.map(|config| config.credential_environment(&login.name)).unwrap_or_default()
    }

    /// Puts a thing where one of its name is, or else into the default file. Returns the path.
    ///
    /// # Errors
    /// [`FilesError::Content`]
    pub fn put(&mut self, entry: &Entry) -> Result<PathBuf, FilesError> {
        let is_there = |file: &File| file.now.as_ref().is_some_and(|config| config.has(entry.section, &entry.name));
        let index = self.files.iter().position(is_there).unwrap_or(self.default);
        self.files[index].change(|config| config.put(entry))?;
        Ok(self.files[index].path.clone())
    }

    /// Chooses a context, in the default file, which is the first that kubectl reads.
    ///
    /// # Errors
    /// [`FilesError::Content`]
    pub fn set_current_context(&mut self, name: &str) -> Result<(), FilesError> {
        if self.current_context() == Some(name) {
            return Ok(());
        }
        self.files[self.default].change(|config| config.set_current_context(Some(name)))
    }

    /// Takes out a context, with its cluster and its user where these have its name and no other context needs them. Where it was the
    /// current one, none is. Whether there was anything.
    ///
    /// # Errors
    /// [`FilesError::Content`]
    pub fn remove(&mut self, name: &str) -> Result<bool, FilesError> {
        let others: Vec<Context> = self.configs().flat_map(Kubeconfig::contexts).filter(|context| context.name != name).collect();
        let is_needed = |section: Section| {
            others.iter().any(|context| match section {
                Section::Clusters => context.cluster.as_deref() == Some(name),
                Section::Users => context.user.as_deref() == Some(name),
                Section::Contexts => false,
            })
        };
        let mut found = false;
        for file in &mut self.files {
            let Some(config) = &file.now else { continue };
            let sections: Vec<Section> =
                Section::ALL.into_iter().filter(|section| config.has(*section, name) && !is_needed(*section)).collect();
            let current = config.current_context() == Some(name);
            found |= !sections.is_empty();
            for section in sections {
                file.change(|config| config.remove(section, name))?;
            }
            if current {
                file.change(|config| config.set_current_context(None))?;
            }
        }
        Ok(found)
    }
}

impl File {
    fn incoming(&self) -> Result<Incoming<'_>, FilesError> {
        let content = self.now.as_ref().map(Kubeconfig::as_str).unwrap_or_default();
        Incoming::write(&self.path, content.as_bytes())
    }

    fn change(&mut self, work: impl FnOnce(&mut Kubeconfig) -> Result<(), KubeconfigError>) -> Result<(), FilesError> {
        work(self.now.get_or_insert_default()).map_err(|source| FilesError::Content { path: self.path.clone(), source })
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
