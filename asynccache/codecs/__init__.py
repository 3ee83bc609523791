"""Codecs: values to bytes and back, with their types."""

from asynccache.codecs.base import Codec as Codec
from asynccache.codecs.immutable import is_immutable as is_immutable
from asynccache.codecs.msgpack import MsgpackCodec as MsgpackCodec
from asynccache.codecs.registry import TypeRegistry as TypeRegistry
