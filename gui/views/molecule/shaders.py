"""What a graphics card does for each corner and each pixel of balls and sticks (GLSL 1.20, which every OpenGL knows)."""

from __future__ import annotations

__all__ = ["BALL", "STICK_SHADER", "VERTEX"]

VERTEX = """#version 120
attribute vec2 corner; attribute vec3 place; attribute vec4 shape; attribute vec4 colour;
uniform vec2 size; uniform vec2 depths;
varying vec2 at; varying float depth; varying vec4 body; varying vec4 tint;
void main() {
    at = corner; depth = place.z; body = shape; tint = colour;
    float z = 2.0 * (depths.y - place.z) / (depths.y - depths.x) - 1.0;
    gl_Position = vec4(2.0 * place.x / size.x - 1.0, 1.0 - 2.0 * place.y / size.y, z, 1.0);
}"""

_COMMON = """#version 120
uniform vec2 depths; uniform vec3 paper; uniform float haze;
varying vec2 at; varying float depth; varying vec4 body; varying vec4 tint;
void finish(vec3 shaded, float z) {
    float far = clamp((depths.y - z) / (depths.y - depths.x), 0.0, 1.0);
    gl_FragColor = vec4(mix(shaded, paper, haze * pow(far, 1.3)), tint.a);
    gl_FragDepth = far;
}
"""

# the same light as in `gui.views.molecule.sprites`
BALL = (
    _COMMON
    + """
void main() {
    float square = dot(at, at);
    if (square > 1.0) discard;
    vec3 normal = vec3(at.x, at.y, sqrt(1.0 - square));
    vec3 light = normalize(vec3(-0.42, 0.58, 0.70));
    vec3 between = normalize(light + vec3(0.0, 0.0, 1.0));
    float bright = 0.50 + 0.08 * normal.y + 0.56 * max(dot(normal, light), 0.0);
    float rim = clamp((sqrt(square) - 1.0 + body.y) / body.y, 0.0, 1.0);
    bright *= 1.0 - 0.42 * pow(rim, 1.5);
    float gloss = 0.55 * pow(max(dot(normal, between), 0.0), 48.0);
    finish(tint.rgb * bright + gloss, depth + body.x * normal.z);
}"""
)

STICK_SHADER = (
    _COMMON
    + """
void main() {
    float across = abs(at.y);
    if (across > 1.0) discard;
    float z = sqrt(1.0 - across * across);
    float bright = 0.46 + 0.52 * z;
    float rim = clamp((across - 1.0 + body.y) / body.y, 0.0, 1.0);
    bright *= 1.0 - 0.34 * pow(rim, 1.5);
    finish(tint.rgb * bright + 0.22 * pow(z, 24.0), depth + body.x * z);
}"""
)
