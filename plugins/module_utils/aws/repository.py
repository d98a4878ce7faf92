# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""ECR repositories with scanning, tag immutability and a lifecycle policy that keeps the newest images."""

from __future__ import annotations

import json
from typing import Any, Optional

from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.errors import StackError
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.kind import Kind, Reader, unless
from ansible_collections.mlinfra.hosts.plugins.module_utils.aws.tags import claims, owner_tags, to_dict, to_list
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.model import Change, Found, Intent, Observed, Wish
from ansible_collections.mlinfra.hosts.plugins.module_utils.stack.wish import Repository as Declared

_ABSENT = ("RepositoryNotFoundException",)
_NO_POLICY = ("LifecyclePolicyNotFoundException",)


class Repository(Kind):
    """Named as in the declaration; the id is the repository's name in ECR."""

    name = "repository"
    section = "repositories"
    service = "ecr"
    immutable = ("repository_name", "encryption")

    def observe(self, reader: Reader) -> list[Found]:
        declared = {repository.repository_name: repository for repository in reader.stack.repositories or ()}
        raws: dict[str, dict[str, Any]] = {}
        if reader.complete:
            prefix = f"{reader.scope.prefix}/"
            listed = reader.pages("ecr", "describe_repositories", "repositories")
            raws = {
                raw["repositoryName"]: raw
                for raw in listed
                if raw["repositoryName"].startswith(prefix) or raw["repositoryName"] in declared
            }
        elif declared:
            raws = self._named(reader, list(declared))
        for name, repository in declared.items():
            if repository.existing and name not in raws:
                text = f"repositories.{repository.name} is existing: {reader.scope.region} has no repository {name}"
                raise StackError(text, "Check repository_name, or leave existing out to have it made", path="repositories")
        found = reader.together(*[lambda raw=raw: self._one(reader, raw, declared.get(raw["repositoryName"])) for raw in raws.values()])
        return [
            one for one in found if one.owned or one.existing or one.id in declared or one.tags.get("mlinfra:stack") == reader.scope.stack
        ]

    @staticmethod
    def _named(reader: Reader, names: list[str]) -> dict[str, dict[str, Any]]:
        """One request for all; one unknown name spoils the answer, then one each."""
        ecr = reader.client("ecr")
        answer = unless(_ABSENT, lambda: ecr.describe_repositories(repositoryNames=names))
        if answer is None and len(names) == 1:
            return {}
        if answer is not None:
            return {raw["repositoryName"]: raw for raw in answer["repositories"]}
        single = [
            lambda name=name: unless(_ABSENT, lambda: ecr.describe_repositories(repositoryNames=[name]), {"repositories": []})
            for name in names
        ]
        return {raw["repositoryName"]: raw for answer in reader.together(*single) for raw in answer["repositories"]}

    def _one(self, reader: Reader, raw: dict[str, Any], declared: Optional[Declared]) -> Found:
        ecr, name = reader.client("ecr"), raw["repositoryName"]
        facts = {"uri": raw["repositoryUri"]}
        if declared is not None and declared.existing:
            return Found(self.name, declared.name, name, existing=True, facts=facts)
        tags, text = reader.together(
            lambda: to_dict(ecr.list_tags_for_resource(resourceArn=raw["repositoryArn"])["tags"]),
            lambda: unless(_NO_POLICY, lambda: ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]),
        )
        key = raw.get("encryptionConfiguration") or {}
        state = {
            "repository_name": name,
            "scan_on_push": bool((raw.get("imageScanningConfiguration") or {}).get("scanOnPush")),
            "immutable_tags": raw.get("imageTagMutability") == "IMMUTABLE",
            "lifecycle": json.loads(text) if text else None,
            "encryption": key.get("kmsKey") if key.get("encryptionType") == "KMS" else None,
        }
        own = tags.get("mlinfra:name", name)
        taken = own in [repository.name for repository in reader.stack.repositories or ()]
        shown = declared.name if declared is not None else name if taken else own
        facts["arn"] = raw["repositoryArn"]
        return Found(self.name, shown, name, state, tags, claims(tags, reader.scope, self.name), facts=facts)

    def wish(self, intent: Intent, seen: Observed) -> list[Wish]:
        wishes = []
        for repository in intent.stack.repositories or ():
            path = f"repositories.{repository.name}"
            if repository.existing:
                wishes.append(Wish(self.name, repository.name, existing=True, path=path))
                continue
            state: dict[str, Any] = {
                "repository_name": repository.repository_name,
                "scan_on_push": repository.scan_on_push,
                "immutable_tags": repository.immutable_tags,
            }
            there = seen.get(self.name, repository.name)
            if repository.keep_last is not None:
                state["lifecycle"] = keep_last(repository.keep_last)
            elif there is not None and _ours(there.state.get("lifecycle")):
                state["lifecycle"] = None  # policies of others stay
            if repository.kms_key is not None:
                state["encryption"] = repository.kms_key
            wishes.append(Wish(self.name, repository.name, state, owner_tags(intent.scope, self.name, repository.name), path=path))
        return wishes

    def same(self, word: str, want: Any, have: Any) -> bool:
        if word == "encryption" and want and have:
            # ECR answers with the key's ARN whatever it was given; which key an alias stands for is not asked.
            alias = want.startswith("alias/") or ":alias/" in want
            return alias or have == want or have.endswith(f":key/{want}")
        return super().same(word, want, have)

    def guard(self, found: Found, intent: Intent) -> str:
        if found.facts.get("full") and not {found.name, found.id} & set(intent.control.force):
            return f"repository {found.id} holds images; name it in force: [{found.name}] to delete them"
        return ""

    def examine(self, reader: Reader, found: Found) -> None:
        answer = reader.client("ecr").list_images(repositoryName=found.id, maxResults=1)
        found.facts["full"] = bool(answer["imageIds"])

    def create(self, act: Any, change: Change) -> str:
        state = change.wish.state
        params: dict[str, Any] = {}
        if state.get("encryption"):
            params["encryptionConfiguration"] = {"encryptionType": "KMS", "kmsKey": state["encryption"]}
        answer = act.call(
            "ecr",
            "create_repository",
            repositoryName=state["repository_name"],
            tags=to_list(change.wish.tags),
            imageTagMutability=_mutability(state),
            imageScanningConfiguration={"scanOnPush": state["scan_on_push"]},
            **params,
        )["repository"]
        act.made.add(self.name)
        act.tell(change, uri=answer["repositoryUri"])
        if state.get("lifecycle"):
            act.call(
                "ecr", "put_lifecycle_policy", repositoryName=answer["repositoryName"], lifecyclePolicyText=json.dumps(state["lifecycle"])
            )
        return answer["repositoryName"]

    def update(self, act: Any, change: Change) -> None:
        state = change.wish.state
        if "scan_on_push" in change.fields:
            act.call(
                "ecr",
                "put_image_scanning_configuration",
                repositoryName=change.id,
                imageScanningConfiguration={"scanOnPush": state["scan_on_push"]},
            )
        if "immutable_tags" in change.fields:
            act.call("ecr", "put_image_tag_mutability", repositoryName=change.id, imageTagMutability=_mutability(state))
        if "lifecycle" in change.fields:
            if state["lifecycle"]:
                act.call("ecr", "put_lifecycle_policy", repositoryName=change.id, lifecyclePolicyText=json.dumps(state["lifecycle"]))
            else:
                act.call("ecr", "delete_lifecycle_policy", repositoryName=change.id)
        if change.tags:
            act.call("ecr", "tag_resource", resourceArn=change.found.facts["arn"], tags=to_list(change.tags))

    def delete(self, act: Any, change: Change) -> None:
        act.call("ecr", "delete_repository", repositoryName=change.id, force=bool(change.found.facts.get("full")))


def _mutability(state: dict[str, Any]) -> str:
    return "IMMUTABLE" if state["immutable_tags"] else "MUTABLE"


def keep_last(count: int) -> dict[str, Any]:
    """A lifecycle policy that keeps the newest images, tagged or not."""
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    return {"rules": [{"rulePriority": 1, "description": f"keep the newest {count}", "selection": selection, "action": {"type": "expire"}}]}


def _ours(policy: Any) -> bool:
    """Whether ``keep_last`` made the policy."""
    try:
        return policy == keep_last(policy["rules"][0]["selection"]["countNumber"])
    except (TypeError, KeyError, IndexError):
        return False


def uri(account_id: str, region: str, partition: str, name: str) -> str:
    """Where images are pushed to and pulled from, known before the repository is there."""
    suffix = {"aws-cn": "amazonaws.com.cn"}.get(partition, "amazonaws.com")
    return f"{account_id}.dkr.ecr.{region}.{suffix}/{name}"
