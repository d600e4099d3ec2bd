"""Launch templates: versions, their data as given, and listings.

moto stores the template's own tags in the data of its first version (a tool that compares sees a difference for ever),
does not inherit from SourceVersion, breaks Auto Scaling at the second version with user data, cannot delete versions,
shows at most 15 of anything, and shows tags as they were at creation.

Corrects moto/ec2/models/launch_templates.py and moto/ec2/responses/launch_templates.py.
"""

import copy
from operator import attrgetter

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError, InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.responses import EC2Response

from . import listings
from .ec2_tags import forget_tags
from .listings import Listing, Page, taken_filters
from .patching import adds, corrects

MAX_VERSIONS_PER_DELETE = 200


def _created_by(response) -> str:
    return f"arn:{response.partition}:iam::{response.current_account}:user/operator"


def _template_view(response, template: LaunchTemplate) -> dict:
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "CreateTime": template.create_time,
        "CreatedBy": _created_by(response),
        "DefaultVersionNumber": template.default_version_number,
        "LatestVersionNumber": template.latest_version_number,
        "Tags": template.get_tags(),
    }


def _version_view(response, version: LaunchTemplateVersion) -> dict:
    template = version.template
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": version.create_time,
        "CreatedBy": _created_by(response),
        "DefaultVersion": template.is_default(version),
        "LaunchTemplateData": version.data,
    }


def _template(response) -> LaunchTemplate:
    """The one template that a request names, by id or by name."""
    template_id, name = response._get_param("LaunchTemplateId"), response._get_param("LaunchTemplateName")
    if template_id and name:
        raise EC2ClientError(
            "InvalidParameterCombination", "You cannot specify both a launch template ID and a launch template name"
        )
    if template_id:
        return _by_id(response.ec2_backend, template_id)
    if name:
        return response.ec2_backend.get_launch_template_by_name(name)
    raise EC2ClientError("MissingParameter", "Either a launch template ID or a launch template name is required")


def _by_id(backend, template_id: str) -> LaunchTemplate:
    if not template_id.startswith("lt-"):
        raise EC2ClientError("InvalidLaunchTemplateId.Malformed", f"Invalid launch template ID: '{template_id}'")
    if template_id not in backend.launch_templates:
        raise EC2ClientError(
            "InvalidLaunchTemplateId.NotFound",
            f"The specified launch template, with template ID {template_id}, does not exist.",
        )
    return backend.launch_templates[template_id]


# Versions. A deleted version keeps its place in moto's list, which is indexed by number, and is marked.


def existing_versions(template: LaunchTemplate) -> list[LaunchTemplateVersion]:
    return [version for version in template.versions if not getattr(version, "deleted", False)]


@corrects(LaunchTemplate, "get_version")
def get_version(original, self, number):
    version = original(self, number)
    if getattr(version, "deleted", False) or (str(number).isdigit() and int(number) < 1):
        raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=number)
    return version


@corrects(LaunchTemplate, "latest_version")
def latest_version(original, self):
    return existing_versions(self)[-1]


@corrects(LaunchTemplateVersion, "user_data")
def user_data(original, self):
    """The data holds user data as the request wrote it; moto's launch code wants it wrapped."""
    encoded = self.data.get("UserData")
    return Base64EncodedString(encoded) if encoded else None


@corrects(InstanceBackend, "_get_template_from_args")
def template_of_launch(original, self, launch_template_arg):
    """An unknown template is refused by name; moto fails with an IndexError."""
    template_id = launch_template_arg.get("LaunchTemplateId")
    template = (
        _by_id(self, template_id)
        if template_id
        else self.get_launch_template_by_name(launch_template_arg["LaunchTemplateName"])
    )
    return template.get_version(launch_template_arg.get("Version") or "$Default")


@corrects(EC2Response, "create_launch_template")
def create_launch_template(original, self):
    template = self.ec2_backend.create_launch_template(
        self._get_param("LaunchTemplateName"),
        self._get_param("VersionDescription"),
        copy.deepcopy(self._get_param("LaunchTemplateData", {})),
        self._parse_tag_specification("launch-template"),
    )
    return ActionResult({"LaunchTemplate": _template_view(self, template)})


@corrects(EC2Response, "create_launch_template_version")
def create_launch_template_version(original, self):
    """What the request leaves out comes from SourceVersion."""
    template = _template(self)
    data = copy.deepcopy(self._get_param("LaunchTemplateData", {}))
    source = self._get_param("SourceVersion")
    if source:
        data = {**copy.deepcopy(template.get_version(source).data), **data}
    version = template.create_version(data, self._get_param("VersionDescription"))
    return ActionResult({"LaunchTemplateVersion": _version_view(self, version)})


@adds(EC2Response, "delete_launch_template_versions")
def delete_launch_template_versions(self):
    template = _template(self)
    numbers = self._get_param("Versions", [])
    if len(numbers) > MAX_VERSIONS_PER_DELETE:
        raise EC2ClientError(
            "InvalidParameterValue", f"At most {MAX_VERSIONS_PER_DELETE} versions can be deleted in one request"
        )
    deleted, refused = [], []
    for number in numbers:
        named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(number)}
        problem = _delete_version(template, int(number))
        if problem:
            refused.append({**named, "ResponseError": problem})
        else:
            deleted.append(named)
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": deleted,
            "UnsuccessfullyDeletedLaunchTemplateVersions": refused,
        }
    )


def _delete_version(template: LaunchTemplate, number: int) -> dict | None:
    if number == template.default_version_number:
        return {"Code": "unexpectedError", "Message": "You cannot delete the default version of a launch template."}
    for version in existing_versions(template):
        if version.number == number:
            version.deleted = True
            return None
    return {"Code": "launchTemplateVersionDoesNotExist", "Message": f"Version {number} does not exist."}


@corrects(EC2Response, "modify_launch_template")
def modify_launch_template(original, self):
    template = _template(self)
    template.default_version_number = template.get_version(self._get_param("DefaultVersion")).number
    return ActionResult({"LaunchTemplate": _template_view(self, template)})


@corrects(EC2Response, "delete_launch_template")
def delete_launch_template(original, self):
    template = _template(self)
    view = _template_view(self, template)
    self.ec2_backend.delete_launch_template(None, template.id)
    forget_tags(self.ec2_backend, template.id)
    return ActionResult({"LaunchTemplate": view})


# Listings

TEMPLATES = Listing(
    "describe_launch_templates",
    "LaunchTemplates",
    {"launch-template-name": attrgetter("name"), "create-time": lambda template: template.create_time.isoformat()},
    largest_page=200,
    smallest_page=1,
)

VERSIONS = Listing(
    "describe_launch_template_versions",
    "LaunchTemplateVersions",
    {
        "image-id": lambda version: version.data.get("ImageId"),
        "instance-type": lambda version: version.data.get("InstanceType"),
        "is-default-version": lambda version: version.template.is_default(version),
        "ebs-optimized": lambda version: version.data.get("EbsOptimized"),
        "http-tokens": lambda version: (version.data.get("MetadataOptions") or {}).get("HttpTokens"),
        "http-endpoint": lambda version: (version.data.get("MetadataOptions") or {}).get("HttpEndpoint"),
        "iam-instance-profile": lambda version: (version.data.get("IamInstanceProfile") or {}).get("Arn"),
    },
    largest_page=200,
    smallest_page=1,
    tags=lambda version: {},
)


@corrects(EC2Response, "describe_launch_templates")
def describe_launch_templates(original, self):
    filters = taken_filters(self)
    TEMPLATES.check(filters)
    page = Page.of_ec2(self, TEMPLATES.largest_page, TEMPLATES.smallest_page)
    ids, names = self._get_param("LaunchTemplateIds", []), self._get_param("LaunchTemplateNames", [])
    templates = [_by_id(self.ec2_backend, template_id) for template_id in ids]
    templates += [self.ec2_backend.describe_launch_templates(template_names=[name])[0] for name in names]
    if not ids and not names:
        templates = list(self.ec2_backend.launch_templates.values())
    left_out = listings.hidden(self.current_account)
    if names and any(template.id in left_out for template in templates):
        raise EC2ClientError(
            "InvalidLaunchTemplateName.NotFoundException",
            "At least one of the launch templates specified in the request does not exist.",
        )
    shown, token = page.cut(
        [template for template in templates if TEMPLATES.accepts(template, filters) and template.id not in left_out]
    )
    return ActionResult({"LaunchTemplates": [_template_view(self, template) for template in shown], "NextToken": token})


@corrects(EC2Response, "describe_launch_template_versions")
def describe_launch_template_versions(original, self):
    filters = taken_filters(self)
    VERSIONS.check(filters)
    page = Page.of_ec2(self, VERSIONS.largest_page, VERSIONS.smallest_page)
    versions = [version for version in _asked_versions(self) if VERSIONS.accepts(version, filters)]
    shown, token = page.cut(versions)
    return ActionResult(
        {"LaunchTemplateVersions": [_version_view(self, version) for version in shown], "NextToken": token}
    )


def _asked_versions(response) -> list[LaunchTemplateVersion]:
    """Of one template the versions named, or a range, or all; of all templates their $Default or $Latest."""
    asked = response._get_param("Versions", [])
    if response._get_param("LaunchTemplateId") or response._get_param("LaunchTemplateName"):
        template = _template(response)
        if asked:
            return _unique(template.get_version(number) for number in asked)
        first = int(response._get_param("MinVersion") or 1)
        last = int(response._get_param("MaxVersion") or len(template.versions))
        # Newest first, as AWS lists them.
        return [version for version in reversed(existing_versions(template)) if first <= version.number <= last]
    if not asked or not set(asked) <= {"$Latest", "$Default"}:
        raise EC2ClientError(
            "MissingParameter" if not asked else "InvalidParameterValue",
            "To describe the launch template data for all your launch templates, specify $Latest, $Default, or both, "
            "and omit the launch template ID, name and version numbers.",
        )
    return _unique(
        template.get_version(number) for template in response.ec2_backend.launch_templates.values() for number in asked
    )


def _unique(versions) -> list[LaunchTemplateVersion]:
    return list(dict.fromkeys(versions))
