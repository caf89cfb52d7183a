"""Traces, where the standard variables of OpenTelemetry name somebody to send them to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from opentelemetry.trace import set_tracer_provider

from settings import SettingInvalidError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def is_traced(environment: Mapping[str, str]) -> bool:
    """Whether spans are to be exported: not where no endpoint is set, or OTEL_SDK_DISABLED is ``true``.

    Raises:
        SettingInvalidError: by another protocol than ours.
    """
    is_off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    if is_off or not any(environment.get(name) for name in ENDPOINTS):
        return False
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        raise SettingInvalidError(f"OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, not {protocol!r}")
    return True


def start_tracing(environment: Mapping[str, str]) -> "TracerProvider | None":
    """Export spans as OTLP over HTTP; None, and no cost, where they are not wanted.

    The exporter, sampler, resource and batches read their own OTEL_ variables. Shut the provider down at the end, for
    the last batch.

    Raises:
        SettingInvalidError: as :func:`is_traced`.
    """
    if not is_traced(environment):
        return None
    # Loaded only here: it is a tenth of a second at every start.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create()
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "spotplan"}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    return provider
