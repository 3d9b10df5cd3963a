<?php

declare(strict_types=1);

namespace Lockstep\PimcoreBundle\Core;

/** What is told of an element: where to look, and no value of a field. */
final class Hint
{
    /**
     * Null for a draft: what it holds is not the element's state.
     *
     * @param object               $element   any Pimcore element
     * @param array<string, mixed> $arguments of the event
     *
     * @return array<string, mixed>|null
     */
    public static function of(string $event, object $element, array $arguments): ?array
    {
        if (!empty($arguments['saveVersionOnly']) || !empty($arguments['isAutoSave'])) {
            return null;
        }
        if (!preg_match('/^pimcore\.(dataobject|asset|document)\.post/', $event, $kind) || null === $id = $element->getId()) {
            return null;
        }
        $ask = static fn (string $method): mixed => method_exists($element, $method) ? $element->$method() : null;
        $old = $arguments['oldPath'] ?? null;
        $published = $ask('isPublished');

        return [
            'event' => $event,
            'kind' => 'dataobject' === $kind[1] ? 'object' : $kind[1],
            'id' => (int) $id,
            'type' => $ask('getType'),
            'class' => 'dataobject' === $kind[1] ? $ask('getClassName') : null,
            'path' => $ask('getRealFullPath'),
            'oldPath' => \is_string($old) && '' !== $old ? $old : null,
            'published' => null === $published ? null : (bool) $published,
            'modificationDate' => null === ($at = $ask('getModificationDate')) ? null : (int) $at,
            'versionCount' => null === ($count = $ask('getVersionCount')) ? null : (int) $count,
        ];
    }
}
