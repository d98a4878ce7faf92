# Copyright (c) 2026 mlinfra.hosts contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One scrape of a Prometheus exporter, as Prometheus would fetch it."""

from __future__ import annotations

import http.client
import math
import ssl

from ansible.module_utils.urls import Request

from ansible_collections.mlinfra.hosts.plugins.module_utils.exporter import exposition


def trust(cert_file):
    """TLS context that trusts the certificate in the file itself, and whatever it signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cert_file)
    # OpenSSL's X509_V_FLAG_PARTIAL_CHAIN: a certificate that is no root may be trusted too. Python names it since 3.10.
    context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
    return context


def fetch(url, cert_file=None, username=None, password=None, timeout=10):
    """Text of the metrics page. Raises OSError (URLError, HTTPError, ssl.SSLError among them), also where something else answers."""
    try:
        return page(url, cert_file, username, password, timeout)
    except http.client.HTTPException as error:
        raise OSError("it does not speak HTTP (%s)" % (str(error).strip() or type(error).__name__)) from error


def page(url, cert_file, username, password, timeout):
    answer = Request(use_proxy=False, timeout=timeout, http_agent="mlinfra.hosts").open(
        "GET",
        url,
        url_username=username,
        url_password=password,
        force_basic_auth=bool(username),
        context=trust(cert_file) if cert_file else None,
    )
    return answer.read().decode("utf-8", "replace")


def json_ready(sample):
    """The sample with a value that JSON can hold."""
    if math.isfinite(sample["value"]):
        return sample
    return dict(sample, value={True: "NaN", False: "+Inf" if sample["value"] > 0 else "-Inf"}[math.isnan(sample["value"])])


def told(text, metrics):
    """{samples, size} of a page: the samples of the metrics that were asked for. Raises ExpositionError when it is none."""
    samples = exposition.samples(text, set(metrics))
    return {"samples": [json_ready(sample) for sample in samples], "size": len(text.encode("utf-8"))}
