# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: GPL-3.0-or-later

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0"
    }
    ansible = {
      source  = "github.com/hashicorp/ansible"
      version = ">= 1.1.0"
    }
  }
}

variable "region" {
  type    = string
  default = "us-east-1"
}

source "amazon-ebs" "golden" {
  ami_name      = "mlinfra-golden-${formatdate("YYYYMMDD-hhmm", timestamp())}"
  region        = var.region
  instance_type = "m7i.xlarge" # no GPU: mlinfra_gpu_target stands in for it
  imds_support  = "v2.0"

  source_ami_filter {
    owners      = ["136693071363"] # Debian
    most_recent = true
    filters = {
      name                = "debian-12-amd64-*"
      virtualization-type = "hvm"
      root-device-type    = "ebs"
    }
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 40
    volume_type           = "gp3"
    delete_on_termination = true
  }

  communicator              = "ssh"
  ssh_username              = "admin"
  temporary_key_pair_type   = "ed25519"
  ssh_clear_authorized_keys = false # bake has removed them by then
}

build {
  sources = ["source.amazon-ebs.golden"]

  provisioner "shell" {
    inline = ["cloud-init status --wait"]
  }

  # Without Packer's proxy Ansible has connections of its own; sealing is the last thing that they do.
  provisioner "ansible" {
    playbook_file   = "${path.root}/bake.yml"
    groups          = ["mlinfra_hosts"]
    user            = "admin"
    use_proxy       = false
    extra_arguments = ["--extra-vars", "@${path.root}/settings.yml"]
  }
}
