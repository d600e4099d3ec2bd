//! What turns a machine into a node: user-data, boot program and kubeadm documents, rendered from `templates/`. Pure.
