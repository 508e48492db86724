//! Many resources in a real control plane, on a real registry and a real Git server.
#![allow(clippy::expect_used, reason = "a measurement that fails says where and ends")]

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    control_plane::ControlPlane,
    git::Git,
    git_server::{GitServer, Options},
    registry_server::{Front, FrontOptions, RegistryServer},
};

/// How many of everything.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// `ImageGitOps` resources, which are spread over images and repositories in turn.
    pub resources: usize,
    /// Images in the registry.
    pub images: usize,
    /// Tags of each image.
    pub tags: usize,
    /// Git repositories, each with one branch.
    pub repositories: usize,
    /// `spec.interval`.
    pub interval: &'static str,
}

/// A control plane with the resources, and the servers that they name.
pub struct Fleet {
    /// Where the resources are.
    pub plane: ControlPlane,
    /// Where the images are.
    pub registry: RegistryServer,
    /// Before the registry: counts requests.
    pub front: Front,
    /// Where the repositories are.
    pub git: GitServer,
    /// How many there are.
    pub shape: Shape,
    /// The namespace of all resources.
    pub namespace: String,
}

/// A time from which tags are counted.
const FIRST: usize = 1_600_000_000;

impl Fleet {
    /// Starts the servers and makes everything but the resources, which [`Self::create`] does.
    pub fn new(shape: Shape, crd: &str) -> Self {
        let plane = ControlPlane::start();
        plane.install_kubevela_crds();
        plane.apply(crd).expect("the CustomResourceDefinition");
        let namespace = plane.namespace();
        let registry = RegistryServer::start();
        for image in 0..shape.images {
            registry.tag_many(&Self::image(image), (0..shape.tags).map(Self::tag));
        }
        let front = Front::before(&registry, FrontOptions::default());
        let git = GitServer::start(Options::default().config("uploadpack.allowFilter", "true"));
        let fleet = Self { plane, registry, front, git, shape, namespace };
        for repository in 0..shape.repositories {
            fleet.fill(repository);
        }
        fleet
    }

    /// The path of an image in the registry.
    pub fn image(number: usize) -> String {
        format!("acme/app-{number:04}")
    }

    /// A tag; a higher number is newer.
    pub fn tag(number: usize) -> String {
        format!("main-{number:07x}-{}", FIRST + number)
    }

    /// The name of a repository on the Git server.
    pub fn repository(number: usize) -> String {
        format!("acme/repo-{number:05}")
    }

    /// The file of a resource in its repository.
    pub fn file(resource: usize) -> String {
        format!("apps/app-{resource:05}.yaml")
    }

    /// The Application that a resource keeps up to date, with a tag.
    pub fn application(&self, resource: usize, tag: &str) -> String {
        let image = Self::image(resource % self.shape.images);
        format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: app-{resource:05}\n  namespace: {}\nspec:\n  \
             components:\n    - name: web\n      type: webservice\n      properties:\n        image: {}/{image}:{tag}\n",
            self.namespace,
            self.front.host()
        )
    }

    fn fill(&self, number: usize) {
        let repository = self.git.repository(&Self::repository(number));
        let mut stream = String::from(
            "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 5\nfirst\n",
        );
        for resource in (number..self.shape.resources).step_by(self.shape.repositories) {
            let text = self.application(resource, &Self::tag(self.shape.tags - 1));
            let _ = write!(stream, "M 100644 inline {}\ndata {}\n{text}\n", Self::file(resource), text.len());
        }
        Git::in_dir(&repository.path).args(["fast-import", "--quiet"]).input(stream).run();
    }

    /// A resource.
    pub fn resource(&self, number: usize) -> Value {
        let image = format!("{}/{}", self.front.host(), Self::image(number % self.shape.images));
        let url = self.git.url(&Self::repository(number % self.shape.repositories));
        json!({
            "apiVersion": "image-gitops.dev/v1alpha1", "kind": "ImageGitOps",
            "metadata": {"name": format!("app-{number:05}"), "namespace": self.namespace},
            "spec": {
                "image": image, "interval": self.shape.interval, "registry": {"insecure": true}, "deploy": "git-only",
                "tags": {"pattern": "^main-[a-f0-9]{7}-(?P<ts>[0-9]+)$", "extract": "$ts"},
                "git": {"url": url, "path": Self::file(number)},
                "target": {"application": format!("app-{number:05}"), "component": "web"},
            },
        })
    }

    /// The path of the resources in the API.
    pub fn path(&self) -> String {
        format!("/apis/image-gitops.dev/v1alpha1/namespaces/{}/imagegitops", self.namespace)
    }

    /// Makes all resources.
    pub fn create(&self) {
        let all = (0..self.shape.resources).map(|number| (self.path(), self.resource(number)));
        self.plane.send_many("POST", all.collect());
    }
}
